// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/aws_client_pool.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/time_format.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_http_transport.h"
#include "tests/fakes/fake_logger.h"
#include "tests/fakes/fake_random.h"

namespace keyturn::delivery {
namespace {

using ::testing::HasSubstr;
using Variables = std::map<std::string, std::string, std::less<>>;

class Forwarding final : public net::HttpTransport {
 public:
  explicit Forwarding(net::HttpTransport& inner) : inner_(inner) {}

  Result<net::HttpResponse> Send(const net::HttpRequest& request, const CallContext& context,
                                 const net::BodySink* sink) override {
    return inner_.Send(request, context, sink);
  }

 private:
  net::HttpTransport& inner_;
};

class AwsClientPoolTest : public ::testing::Test {
 protected:
  AwsClientPoolTest() {
    char name[] = "/dev/shm/keyturn-pool-XXXXXX";
    if (::mkdtemp(name) == nullptr) std::abort();
    root_ = name;
    token_file_ = root_ + "/token";
    std::ofstream(token_file_) << "header.payload.signature";
    environment_ = {{"AWS_REGION", "eu-west-1"},
                    {"AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT"},
                    {"AWS_SECRET_ACCESS_KEY", "secret"}};
  }

  ~AwsClientPoolTest() override { std::filesystem::remove_all(root_); }

  Result<std::shared_ptr<ClientPool>> TryMake() {
    environment_object_ = std::make_unique<config::Environment>(environment_);
    AwsClientPoolDependencies dependencies;
    dependencies.clock = &clock_;
    dependencies.sleeper = &clock_;
    dependencies.random = &random_;
    dependencies.logger = &logger_;
    dependencies.metrics = &metrics_;
    dependencies.file_system = fs_.get();
    dependencies.environment = environment_object_.get();
    dependencies.make_transport =
        [this](net::TransportOptions options) -> Result<std::unique_ptr<net::HttpTransport>> {
      made_.push_back(std::move(options));
      const bool direct = made_.size() % 2 == 0;
      return std::unique_ptr<net::HttpTransport>(
          std::make_unique<Forwarding>(direct ? direct_ : services_));
    };
    return CreateAwsClientPool(dependencies, plan_);
  }

  void Make() {
    auto made = TryMake();
    ASSERT_TRUE(made.ok()) << made.status().ToString();
    pool_ = std::move(made).value();
  }

  // Reads a secret through the pool. The answer is the request that went to Secrets Manager.
  Result<net::HttpRequest> Read(const std::string& identity = "default",
                                const std::string& region = "") {
    KEYTURN_ASSIGN_OR_RETURN(aws::SecretsManager * client, pool_->SecretsManager(identity, region));
    const auto answer = client->GetSecretValue({"db", "", "AWSCURRENT"}, {});
    if (!answer.ok()) return answer.status();
    return services_.requests().back();
  }

  static std::string HeaderOf(const net::HttpRequest& request, std::string_view name) {
    return std::string(request.headers.Get(name).value_or(""));
  }

  static std::string AccessKeyOf(const net::HttpRequest& request) {
    const std::string header = HeaderOf(request, "Authorization");
    const size_t begin = header.find("Credential=") + 11;
    return header.substr(begin, header.find('/', begin) - begin);
  }

  // The STS exchanges seen, by their Action.
  std::vector<net::HttpRequest> Exchanges() const {
    std::vector<net::HttpRequest> found;
    for (const auto& request : services_.requests()) {
      if (request.body.find("Action=") != std::string::npos) found.push_back(request);
    }
    return found;
  }

  Result<net::HttpResponse> Answer(const net::HttpRequest& request) const {
    if (request.method == "GET") {
      return testing::JsonResponse(
          200,
          R"({"AccessKeyId":"ASIACONTAINER","SecretAccessKey":"s","Token":"t","Expiration":")" +
              FormatRfc3339(clock_.WallNow() + std::chrono::hours(1)) + "\"}");
    }
    for (const char* action : {"AssumeRoleWithWebIdentity", "AssumeRole"}) {
      if (request.body.find(std::string("Action=") + action + "&") != std::string::npos) {
        return Exchange(action);
      }
    }
    if (HeaderOf(request, "X-Amz-Target") == "AmazonSSM.GetParameters") {
      return testing::JsonResponse(200, R"({"Parameters":[],"InvalidParameters":["/p"]})");
    }
    return testing::JsonResponse(
        200, R"({"ARN":"arn:aws:secretsmanager:eu-west-1:1:secret:db-AbCdEf","Name":"db",)"
             R"("VersionId":"v1","SecretString":"x","VersionStages":["AWSCURRENT"]})");
  }

  net::HttpResponse Exchange(const std::string& action) const {
    net::HttpResponse response;
    response.status = 200;
    response.headers.Add("Content-Type", "text/xml");
    response.body = "<" + action +
                    "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><" + action +
                    "Result><Credentials><AccessKeyId>ASIA" + action +
                    "</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t"
                    "</SessionToken><Expiration>" +
                    FormatRfc3339(clock_.WallNow() + std::chrono::hours(1)) +
                    "</Expiration></Credentials></" + action + "Result></" + action + "Response>";
    return response;
  }

  testing::FakeClock clock_;
  testing::FakeRandom random_;
  testing::FakeLogger logger_;
  metrics::Registry metrics_;
  const std::unique_ptr<fs::FileSystem> fs_ = fs::CreatePosixFileSystem();
  testing::FakeHttpTransport services_{[this](const auto& request) { return Answer(request); }};
  testing::FakeHttpTransport direct_{[this](const auto& request) { return Answer(request); }};
  std::vector<net::TransportOptions> made_;
  Variables environment_;
  std::unique_ptr<config::Environment> environment_object_;
  std::string root_;
  std::string token_file_;
  plan::Plan plan_;
  std::shared_ptr<ClientPool> pool_;
};

TEST_F(AwsClientPoolTest, TheRegionIsSearchedInOrder) {
  environment_["AWS_DEFAULT_REGION"] = "ap-south-1";
  plan_.aws.region = "eu-central-1";
  const auto host = [this](const std::string& asked) {
    Make();
    const auto request = Read("default", asked);
    return request.ok() ? request->url.host : request.status().ToString();
  };
  EXPECT_EQ(host("us-east-2"), "secretsmanager.us-east-2.amazonaws.com");
  EXPECT_EQ(host(""), "secretsmanager.eu-central-1.amazonaws.com");
  plan_.aws.region.clear();
  EXPECT_EQ(host(""), "secretsmanager.eu-west-1.amazonaws.com");
  environment_.erase("AWS_REGION");
  EXPECT_EQ(host(""), "secretsmanager.ap-south-1.amazonaws.com");
  environment_.erase("AWS_DEFAULT_REGION");
  const std::string error = host("");
  for (const char* place : {"ARN", "aws.region", "AWS_REGION", "AWS_DEFAULT_REGION"}) {
    EXPECT_THAT(error, HasSubstr(place));
  }
}

TEST_F(AwsClientPoolTest, EndpointsComeFromThePlanThenFromTheEnvironment) {
  struct Case {
    std::map<std::string, std::string> plan;
    Variables environment;
    std::string url;
  };

  const Case cases[] = {
      {{}, {}, "https://secretsmanager.eu-west-1.amazonaws.com/"},
      {{}, {{"AWS_ENDPOINT_URL", "http://127.0.0.1:1"}}, "http://127.0.0.1:1/"},
      {{},
       {{"AWS_ENDPOINT_URL", "http://127.0.0.1:1"},
        {"AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:2"}},
       "http://127.0.0.1:2/"},
      {{{"secretsmanager", "http://127.0.0.1:3"}},
       {{"AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:2"}},
       "http://127.0.0.1:3/"},
      {{{"sts", "http://127.0.0.1:3"}},
       {{"AWS_ENDPOINT_URL", "http://127.0.0.1:1"}},
       "http://127.0.0.1:1/"},
      {{},
       {{"AWS_USE_FIPS_ENDPOINT", "true"}},
       "https://secretsmanager-fips.eu-west-1.amazonaws.com/"},
      // Variables of somebody else cannot break what the Plan says.
      {{{"secretsmanager", "http://127.0.0.1:3"}},
       {{"AWS_USE_FIPS_ENDPOINT", "true"}},
       "http://127.0.0.1:3/"},
  };
  const Variables base = environment_;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.url);
    environment_ = base;
    environment_.insert(c.environment.begin(), c.environment.end());
    plan_.aws.endpoints = c.plan;
    Make();
    const auto request = Read();
    ASSERT_TRUE(request.ok()) << request.status().ToString();
    EXPECT_EQ(request->url.ToString(), c.url);
  }
}

TEST_F(AwsClientPoolTest, ThePlansFipsSettingBeatsTheEnvironments) {
  environment_["AWS_USE_FIPS_ENDPOINT"] = "true";
  plan_.aws.fips = false;
  Make();
  EXPECT_EQ(Read()->url.host, "secretsmanager.eu-west-1.amazonaws.com");
}

TEST_F(AwsClientPoolTest, AMalformedVariableIsAnError) {
  environment_["AWS_USE_FIPS_ENDPOINT"] = "maybe";
  const auto made = TryMake();
  ASSERT_FALSE(made.ok());
  EXPECT_THAT(made.status().message(), HasSubstr("AWS_USE_FIPS_ENDPOINT"));
}

TEST_F(AwsClientPoolTest, TrustAndProxyComeFromThePlanThenFromTheEnvironment) {
  Make();
  EXPECT_EQ(made_[0].tls.ca_pem, "");
  EXPECT_EQ(made_[0].tls.ca_path, net::ClientTlsSettings{}.ca_path);
  EXPECT_EQ(made_[0].proxy.https_proxy, "");
  environment_["AWS_CA_BUNDLE"] = "/etc/ca.pem";
  environment_["HTTPS_PROXY"] = "http://proxy:3128";
  environment_["http_proxy"] = "http://lower:3128";
  environment_["HTTP_PROXY"] = "http://upper:3128";
  environment_["NO_PROXY"] = "10.0.0.0/8";
  Make();
  EXPECT_EQ(made_[2].tls.ca_path, "/etc/ca.pem");
  EXPECT_EQ(made_[2].proxy.https_proxy, "http://proxy:3128");
  EXPECT_EQ(made_[2].proxy.http_proxy, "http://lower:3128");
  EXPECT_EQ(made_[2].proxy.no_proxy, "10.0.0.0/8");
  // Credentials of the container endpoint never pass a proxy.
  EXPECT_EQ(made_[3].proxy.https_proxy, "");
  EXPECT_EQ(made_[3].proxy.http_proxy, "");
  plan_.aws.proxy = "http://plan:1";
  plan_.aws.ca_pem = "-----BEGIN CERTIFICATE-----";
  Make();
  EXPECT_EQ(made_[4].proxy.https_proxy, "http://plan:1");
  EXPECT_EQ(made_[4].proxy.http_proxy, "http://plan:1");
  EXPECT_EQ(made_[4].tls.ca_pem, plan_.aws.ca_pem);
}

TEST_F(AwsClientPoolTest, WithoutIdentityTheSdksChainIsUsed) {
  Make();
  EXPECT_EQ(AccessKeyOf(*Read()), "AKIDENVIRONMENT");
}

TEST_F(AwsClientPoolTest, ThePlansIdentityBeatsTheEnvironments) {
  environment_["AWS_ROLE_ARN"] = "arn:aws:iam::999999999999:role/intruder";
  environment_["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/nowhere";
  plan::Identity identity;
  identity.type = plan::IdentityType::kWebIdentity;
  identity.role_arn = "arn:aws:iam::123456789012:role/app";
  identity.token_file = token_file_;
  identity.session_name = "me";
  plan_.identities["default"] = identity;
  Make();
  EXPECT_EQ(AccessKeyOf(*Read()), "ASIAAssumeRoleWithWebIdentity");
  ASSERT_EQ(Exchanges().size(), 1U);
  const net::HttpRequest exchange = Exchanges()[0];
  EXPECT_EQ(exchange.url.host, "sts.eu-west-1.amazonaws.com") << "regional";
  EXPECT_THAT(exchange.body, HasSubstr("123456789012"));
  EXPECT_THAT(exchange.body, HasSubstr("RoleSessionName=me"));
  // Kept for the next call and for other regions.
  EXPECT_TRUE(Read().ok());
  EXPECT_TRUE(Read("default", "us-east-1").ok());
  EXPECT_EQ(Exchanges().size(), 1U);
}

TEST_F(AwsClientPoolTest, WhatAnIdentityLeavesOutComesFromTheEnvironment) {
  environment_["AWS_ROLE_ARN"] = "arn:aws:iam::111111111111:role/irsa";
  environment_["AWS_WEB_IDENTITY_TOKEN_FILE"] = token_file_;
  plan_.identities["default"].type = plan::IdentityType::kWebIdentity;
  Make();
  EXPECT_TRUE(Read().ok());
  EXPECT_THAT(Exchanges()[0].body, HasSubstr("111111111111"));
}

TEST_F(AwsClientPoolTest, RolesAreChained) {
  plan::Identity audit;
  audit.type = plan::IdentityType::kAssumeRole;
  audit.role_arn = "arn:aws:iam::222222222222:role/audit";
  audit.external_id = "ext";
  plan_.identities["audit"] = audit;  // over the SDKs' chain
  Make();
  EXPECT_EQ(AccessKeyOf(*Read("audit")), "ASIAAssumeRole");
  const net::HttpRequest exchange = Exchanges()[0];
  EXPECT_EQ(AccessKeyOf(exchange), "AKIDENVIRONMENT");
  EXPECT_THAT(exchange.body, HasSubstr("ExternalId=ext"));
}

TEST_F(AwsClientPoolTest, PodIdentityAndContainerUseTheDirectTransport) {
  struct Case {
    plan::IdentityType type;
    std::string uri;
    std::string url;
  };

  const Case cases[] = {
      {plan::IdentityType::kPodIdentity, "", "http://169.254.170.23/v1/credentials"},
      {plan::IdentityType::kPodIdentity, "http://127.0.0.1:7/c", "http://127.0.0.1:7/c"},
      {plan::IdentityType::kContainer, "/v2/credentials/x",
       "http://169.254.170.2/v2/credentials/x"},
      {plan::IdentityType::kContainer, "http://127.0.0.1:7/c", "http://127.0.0.1:7/c"},
  };
  environment_["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/intruder";
  for (const Case& c : cases) {
    SCOPED_TRACE(c.url);
    plan::Identity identity;
    identity.type = c.type;
    identity.uri = c.uri;
    identity.token_file = token_file_;
    plan_.identities["default"] = identity;
    Make();
    const auto request = Read();
    ASSERT_TRUE(request.ok()) << request.status().ToString();
    EXPECT_EQ(AccessKeyOf(*request), "ASIACONTAINER");
    EXPECT_EQ(direct_.requests().back().url.ToString(), c.url);
  }
}

TEST_F(AwsClientPoolTest, AProfileIsRead) {
  environment_["AWS_SHARED_CREDENTIALS_FILE"] = root_ + "/credentials";
  environment_["AWS_CONFIG_FILE"] = root_ + "/config";
  std::ofstream(root_ + "/credentials")
      << "[work]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\n";
  plan_.identities["default"].type = plan::IdentityType::kProfile;
  plan_.identities["default"].profile = "work";
  Make();
  const auto request = Read();
  ASSERT_TRUE(request.ok()) << request.status().ToString();
  EXPECT_EQ(AccessKeyOf(*request), "AKIDPROFILE");
}

TEST_F(AwsClientPoolTest, AnUnknownIdentityIsAnError) {
  Make();
  const auto client = pool_->SecretsManager("nobody", "");
  ASSERT_FALSE(client.ok());
  EXPECT_EQ(client.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(client.status().message(), HasSubstr("nobody"));
}

TEST_F(AwsClientPoolTest, CirclesAndUnknownSourcesAreRefused) {
  plan::Identity a;
  a.type = plan::IdentityType::kAssumeRole;
  a.role_arn = "arn:aws:iam::222222222222:role/a";
  a.source = "b";
  plan::Identity b = a;
  b.source = "a";
  plan_.identities = {{"a", a}, {"b", b}};
  EXPECT_THAT(TryMake().status().message(), HasSubstr("circle"));
  plan_.identities = {{"a", a}};
  EXPECT_THAT(TryMake().status().message(), HasSubstr("unknown source"));
  a.source = "";
  plan_.identities = {{"default", a}};
  EXPECT_THAT(TryMake().status().message(), HasSubstr("circle"));
}

TEST_F(AwsClientPoolTest, TheHintServiceIsAClientOfItsOwn) {
  Make();
  EXPECT_EQ(pool_->Hint("default", "").status().code(), StatusCode::kNotFound);
  plan_.refresh.hint_url = "https://hint.example:8443/";
  Make();
  const auto hint = pool_->Hint("default", "");
  ASSERT_TRUE(hint.ok());
  EXPECT_NE(*hint, *pool_->SecretsManager("default", ""));
  (void)(*hint)->AwaitSecretChange({{{"db", "AWSCURRENT", "v1"}}, std::chrono::seconds(1)}, {});
  const net::HttpRequest request = services_.requests().back();
  EXPECT_EQ(request.url.host, "hint.example");
  EXPECT_EQ(HeaderOf(request, "X-Amz-Target"), aws::kAwaitTarget);
  EXPECT_EQ(AccessKeyOf(request), "AKIDENVIRONMENT");
}

TEST_F(AwsClientPoolTest, ParametersAreReadFromTheirOwnEndpoint) {
  environment_["AWS_ENDPOINT_URL_SSM"] = "http://127.0.0.1:4";
  Make();
  const auto client = pool_->Ssm("default", "");
  ASSERT_TRUE(client.ok());
  EXPECT_TRUE((*client)->GetParameters({"/p"}, {}).ok());
  EXPECT_EQ(services_.requests().back().url.port, 4);
}

TEST_F(AwsClientPoolTest, DualStackComesFromTheEnvironmentUnlessThePlanSaysNo) {
  environment_["AWS_USE_DUALSTACK_ENDPOINT"] = "true";
  const auto host = [this] {
    Make();
    (void)(*pool_->Ssm("default", ""))->GetParameters({"/p"}, {});
    return services_.requests().back().url.host;
  };
  EXPECT_EQ(host(), "ssm.eu-west-1.api.aws");
  plan_.aws.dual_stack = false;
  EXPECT_EQ(host(), "ssm.eu-west-1.amazonaws.com");
}

TEST_F(AwsClientPoolTest, AClientIsMadeOnce) {
  Make();
  EXPECT_EQ(*pool_->SecretsManager("default", ""), *pool_->SecretsManager("default", ""));
  EXPECT_TRUE(services_.requests().empty()) << "no network call";
}

}  // namespace
}  // namespace keyturn::delivery
