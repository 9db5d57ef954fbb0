// Tests of listen addresses.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "lib/net/server_listen.h"

namespace keyturn::net::server {
namespace {

TEST(ListenAddressTest, ReadsNumericAddressesAndWritesThemBack) {
  for (const char* text : {"127.0.0.1:0", "0.0.0.0:8080", "[::]:0", "[::1]:8443", "[fe80::1]:1",
                           "255.255.255.255:65535"}) {
    const auto address = ParseListenAddress(text);
    ASSERT_TRUE(address.ok()) << text;
    EXPECT_EQ(FormatAddress(*address), text);
  }
}

TEST(ListenAddressTest, ShowsMappedPeersAsIpv4) {
  const auto address = ParseListenAddress("[::ffff:10.0.0.1]:80");
  ASSERT_TRUE(address.ok());
  EXPECT_EQ(FormatAddress(*address), "10.0.0.1:80");
  EXPECT_EQ(PortOf(*address), 80);
}

TEST(ListenAddressTest, RefusesWhatIsNotNumericHostAndPort) {
  for (const char* text : {"",
                           ":",
                           ":80",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:-1",
                           "127.0.0.1:65536",
                           "127.0.0.1:80x",
                           "127.0.0.1: 80",
                           "localhost:80",
                           "[::1]",
                           "[::1:80",
                           "::1:80",
                           "[]:80",
                           "[127.0.0.1]:80",
                           "256.0.0.1:80",
                           "127.1:80",
                           " 127.0.0.1:80",
                           "[::1]]:80",
                           "[[::1]:80"}) {
    const auto address = ParseListenAddress(text);
    ASSERT_FALSE(address.ok()) << text;
    EXPECT_EQ(address.status().code(), StatusCode::kInvalidArgument) << text;
  }
}

TEST(ListenAddressTest, TellsATakenPortFromABadAddress) {
  const auto first = OpenListener(*ParseListenAddress("127.0.0.1:0"));
  ASSERT_TRUE(first.ok());
  const auto bound = BoundAddress(first->get());
  ASSERT_TRUE(bound.ok());
  EXPECT_EQ(OpenListener(*bound).status().code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(OpenListener(*ParseListenAddress("192.0.2.1:0")).status().code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace keyturn::net::server
