# Third-party targets. Everything is a Debian 12 package; headers are SYSTEM so that our warnings do not
# apply to them. Libraries are named by hand where CMake's own targets cannot be linked statically.
find_package(Threads REQUIRED)
find_package(Boost 1.74 REQUIRED)

add_library(keyturn_openssl INTERFACE)
# By name: OpenSSL::SSL resolves to libssl.so, which -static refuses.
target_link_libraries(keyturn_openssl INTERFACE ssl crypto Threads::Threads)
add_library(keyturn::openssl ALIAS keyturn_openssl)

add_library(keyturn_asio INTERFACE)
target_include_directories(keyturn_asio SYSTEM INTERFACE ${Boost_INCLUDE_DIRS})
target_compile_definitions(keyturn_asio INTERFACE BOOST_ERROR_CODE_HEADER_ONLY BOOST_BEAST_USE_STD_STRING_VIEW
                           BOOST_ASIO_NO_DEPRECATED)
target_link_libraries(keyturn_asio INTERFACE Threads::Threads)
add_library(keyturn::asio ALIAS keyturn_asio)

add_library(keyturn_spdlog INTERFACE)
# Header-only spdlog and fmt: Debian ships both only as shared objects otherwise.
target_compile_definitions(keyturn_spdlog INTERFACE SPDLOG_FMT_EXTERNAL FMT_HEADER_ONLY)
target_link_libraries(keyturn_spdlog INTERFACE Threads::Threads)
add_library(keyturn::spdlog ALIAS keyturn_spdlog)

add_library(keyturn_nlohmann INTERFACE)
add_library(keyturn::nlohmann ALIAS keyturn_nlohmann)

add_library(keyturn_expat INTERFACE)
target_link_libraries(keyturn_expat INTERFACE expat)
add_library(keyturn::expat ALIAS keyturn_expat)
