// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/aws_client_pool.h"

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "lib/aws/clients.h"
#include "lib/aws/credentials/providers.h"
#include "lib/aws/endpoints.h"
#include "lib/base/mutex.h"
#include "lib/base/strings.h"

namespace keyturn::delivery {
namespace {

using aws::CredentialsProvider;

// Where EKS Pod Identity is found when its webhook has not set the variables.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
constexpr std::string_view kPodIdentityUri = "http://169.254.170.23/v1/credentials";
constexpr std::string_view kPodIdentityTokenFile =
    "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token";

std::string EnvironmentName(std::string_view service) {
  return service == "secretsmanager" ? "AWS_ENDPOINT_URL_SECRETS_MANAGER"
         : service == "sts"          ? "AWS_ENDPOINT_URL_STS"
                                     : "AWS_ENDPOINT_URL_SSM";
}

std::string FirstSet(std::string a, std::string b) {
  return a.empty() ? std::move(b) : std::move(a);
}

// curl reads the lower-case spelling first, and in CGI-like programs only that one for http.
std::string ProxyVariable(const config::Environment& environment, const std::string& lower,
                          const std::string& upper) {
  return FirstSet(environment.GetOr(lower, ""), environment.GetOr(upper, ""));
}

net::TransportOptions ServiceTransport(const AwsClientPoolDependencies& dependencies,
                                       const plan::AwsSettings& aws) {
  const config::Environment& environment = *dependencies.environment;
  net::TransportOptions options;
  options.clock = dependencies.clock;
  options.tls.ca_pem = aws.ca_pem;
  if (aws.ca_pem.empty()) {
    options.tls.ca_path = environment.GetOr("AWS_CA_BUNDLE", options.tls.ca_path);
  }
  options.proxy.https_proxy =
      FirstSet(aws.proxy, ProxyVariable(environment, "https_proxy", "HTTPS_PROXY"));
  options.proxy.http_proxy =
      FirstSet(aws.proxy, ProxyVariable(environment, "http_proxy", "HTTP_PROXY"));
  options.proxy.no_proxy = ProxyVariable(environment, "no_proxy", "NO_PROXY");
  return options;
}

// Settings that both the Plan and the environment may make.
struct EndpointFlags {
  bool fips = false;
  bool dual_stack = false;
};

class AwsClientPool final : public ClientPool {
 public:
  AwsClientPool(const AwsClientPoolDependencies& dependencies, const plan::Plan& plan,
                std::unique_ptr<net::HttpTransport> transport,
                std::unique_ptr<net::HttpTransport> direct_transport, EndpointFlags environment)
      : dependencies_(dependencies),
        aws_(plan.aws),
        identities_(plan.identities),
        hint_url_(plan.refresh.hint_url),
        environment_flags_(environment),
        transport_(std::move(transport)),
        direct_transport_(std::move(direct_transport)) {}

  Result<aws::SecretsManager*> SecretsManager(const std::string& identity,
                                              const std::string& region) override {
    return Get(secrets_managers_, "secretsmanager", identity, region,
               [this](aws::ClientOptions options, auto credentials) {
                 return aws::CreateSecretsManagerClient(Runtime(), std::move(options),
                                                        std::move(credentials));
               });
  }

  Result<aws::Ssm*> Ssm(const std::string& identity, const std::string& region) override {
    return Get(ssms_, "ssm", identity, region,
               [this](aws::ClientOptions options, auto credentials) {
                 return aws::CreateSsmClient(Runtime(), std::move(options), std::move(credentials));
               });
  }

  Result<aws::SecretsManager*> Hint(const std::string& identity,
                                    const std::string& region) override {
    if (hint_url_.empty()) return NotFoundError("the plan has no refresh.hintUrl");
    KEYTURN_ASSIGN_OR_RETURN(const net::Url url, net::ParseUrl(hint_url_));
    return Get(hints_, "", identity, region,
               [this, &url](aws::ClientOptions options, auto credentials) {
                 options.endpoint = url;
                 return aws::CreateSecretsManagerClient(Runtime(), std::move(options),
                                                        std::move(credentials));
               });
  }

  // Every identity's chain of sources ends, at something known.
  Status CheckIdentities() const {
    for (const auto& [name, identity] : identities_) {
      std::set<std::string> seen{name};
      for (const plan::Identity* link = &identity; link != nullptr;) {
        if (link->type != plan::IdentityType::kAssumeRole) break;
        const std::string source = SourceOf(*link);
        if (!seen.insert(source).second) {
          return InvalidArgumentError(StrCat("identity ", name, ": its sources form a circle"));
        }
        const auto found = identities_.find(source);
        if (found == identities_.end() && source != plan::kDefaultIdentity) {
          return InvalidArgumentError(
              StrCat("identity ", name, ": unknown source \"", QuoteForMessage(source), "\""));
        }
        link = found == identities_.end() ? nullptr : &found->second;
      }
    }
    return OkStatus();
  }

 private:
  template <typename T>
  using Clients = std::map<Endpoint, std::unique_ptr<T>>;

  static std::string SourceOf(const plan::Identity& identity) {
    return identity.source.empty() ? std::string(plan::kDefaultIdentity) : identity.source;
  }

  aws::ClientRuntime Runtime() const {
    return {transport_.get(),     dependencies_.clock,  dependencies_.sleeper,
            dependencies_.random, dependencies_.logger, dependencies_.metrics};
  }

  aws::ProviderRuntime ProviderRuntime() const {
    return {dependencies_.clock,      dependencies_.sleeper,     dependencies_.random,
            dependencies_.logger,     dependencies_.file_system, direct_transport_.get(),
            dependencies_.environment};
  }

  std::string Variable(std::string_view name) const {
    return dependencies_.environment->GetOr(name, "");
  }

  // The client of an endpoint, made at first use. An empty `service`: the maker sets the endpoint.
  template <typename T, typename Make>
  Result<T*> Get(Clients<T>& clients, std::string_view service, const std::string& identity,
                 const std::string& asked_region, const Make& make) KEYTURN_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const auto known = clients.find({identity, asked_region});
    if (known != clients.end()) return known->second.get();
    aws::ClientOptions options;
    KEYTURN_ASSIGN_OR_RETURN(options.region, RegionFor(asked_region));
    if (!service.empty()) {
      KEYTURN_ASSIGN_OR_RETURN(options.endpoint, EndpointFor(service, options.region));
    }
    KEYTURN_ASSIGN_OR_RETURN(auto credentials, ProviderFor(identity, options.region));
    auto client = make(std::move(options), std::move(credentials));
    T* const pointer = client.get();
    clients[{identity, asked_region}] = std::move(client);
    return pointer;
  }

  std::string HomeRegion() const {
    return FirstSet(FirstSet(aws_.region, Variable("AWS_REGION")), Variable("AWS_DEFAULT_REGION"));
  }

  Result<std::string> RegionFor(const std::string& asked) const {
    std::string region = FirstSet(asked, HomeRegion());
    if (!region.empty()) return region;
    return InvalidArgumentError(
        "no region: neither the source (region, or an ARN), aws.region of the plan, AWS_REGION nor "
        "AWS_DEFAULT_REGION names one");
  }

  Result<net::Url> EndpointFor(std::string_view service, const std::string& region) const {
    const std::string name(service);
    aws::EndpointSettings settings;
    settings.fips = aws_.fips.value_or(false);
    settings.dual_stack = aws_.dual_stack.value_or(false);
    const auto planned = aws_.endpoints.find(name);
    if (planned != aws_.endpoints.end()) {
      settings.overrides[name] = planned->second;
    } else {
      settings.overrides[name] =
          FirstSet(Variable(EnvironmentName(service)), Variable("AWS_ENDPOINT_URL"));
      settings.fips = aws_.fips.value_or(environment_flags_.fips);
      settings.dual_stack = aws_.dual_stack.value_or(environment_flags_.dual_stack);
    }
    return aws::ResolveEndpoint(service, region, settings);
  }

  Result<std::shared_ptr<aws::Sts>> StsFor(const std::string& region) KEYTURN_REQUIRES(mutex_) {
    const std::string sts_region = FirstSet(HomeRegion(), region);
    std::shared_ptr<aws::Sts>& sts = sts_[sts_region];
    if (sts) return sts;
    aws::ClientOptions options;
    options.region = sts_region;
    KEYTURN_ASSIGN_OR_RETURN(options.endpoint, EndpointFor("sts", sts_region));
    sts = aws::CreateStsClient(Runtime(), std::move(options));
    return sts;
  }

  Result<std::shared_ptr<CredentialsProvider>> ProviderFor(const std::string& name,
                                                           const std::string& region)
      KEYTURN_REQUIRES(mutex_) {
    const auto known = providers_.find(name);
    if (known != providers_.end()) return known->second;
    KEYTURN_ASSIGN_OR_RETURN(auto provider, MakeProvider(name, region));
    std::shared_ptr<CredentialsProvider> cached =
        aws::CreateCachingProvider(ProviderRuntime(), std::move(provider));
    providers_[name] = cached;
    return cached;
  }

  Result<std::shared_ptr<CredentialsProvider>> MakeProvider(const std::string& name,
                                                            const std::string& region)
      KEYTURN_REQUIRES(mutex_) {
    const auto found = identities_.find(name);
    if (found != identities_.end()) return MakePlanned(found->second, region);
    if (name != plan::kDefaultIdentity) {
      return InvalidArgumentError(StrCat("unknown identity \"", QuoteForMessage(name), "\""));
    }
    KEYTURN_ASSIGN_OR_RETURN(auto sts, StsFor(region));
    return std::shared_ptr<CredentialsProvider>(
        aws::CreateDefaultChain(ProviderRuntime(), std::move(sts)));
  }

  // Recursion over `source` ends: CheckIdentities refused circles.
  Result<std::shared_ptr<CredentialsProvider>> MakePlanned(const plan::Identity& identity,
                                                           const std::string& region)
      KEYTURN_REQUIRES(mutex_) {
    using Provider = std::shared_ptr<CredentialsProvider>;
    switch (identity.type) {
      case plan::IdentityType::kEnvironment:
        return Provider(aws::CreateEnvironmentProvider(ProviderRuntime()));
      case plan::IdentityType::kProfile:
        return Provider(aws::CreateProfileProvider(ProviderRuntime(), identity.profile));
      case plan::IdentityType::kContainer:
        return Provider(
            aws::CreateContainerProvider(ProviderRuntime(), ContainerOptionsOf(identity)));
      case plan::IdentityType::kPodIdentity:
        return Provider(
            aws::CreateContainerProvider(ProviderRuntime(), PodIdentityOptionsOf(identity)));
      case plan::IdentityType::kWebIdentity: {
        KEYTURN_ASSIGN_OR_RETURN(auto sts, StsFor(region));
        return Provider(aws::CreateWebIdentityProvider(ProviderRuntime(), std::move(sts),
                                                       WebIdentityOptionsOf(identity)));
      }
      case plan::IdentityType::kAssumeRole: {
        KEYTURN_ASSIGN_OR_RETURN(auto sts, StsFor(region));
        KEYTURN_ASSIGN_OR_RETURN(auto source, ProviderFor(SourceOf(identity), region));
        return Provider(aws::CreateAssumeRoleProvider(
            ProviderRuntime(), std::move(sts), std::move(source),
            {identity.role_arn, identity.external_id, identity.session_name, identity.duration}));
      }
    }
    return InternalError("unknown identity type");
  }

  aws::WebIdentityOptions WebIdentityOptionsOf(const plan::Identity& identity) const {
    return {FirstSet(identity.role_arn, Variable("AWS_ROLE_ARN")),
            FirstSet(identity.token_file, Variable("AWS_WEB_IDENTITY_TOKEN_FILE")),
            FirstSet(identity.session_name, Variable("AWS_ROLE_SESSION_NAME")), identity.duration};
  }

  static aws::ContainerOptions ContainerOptionsOf(const plan::Identity& identity) {
    aws::ContainerOptions options;
    (identity.uri.starts_with('/') ? options.relative_uri : options.full_uri) = identity.uri;
    options.token_file = identity.token_file;
    return options;
  }

  aws::ContainerOptions PodIdentityOptionsOf(const plan::Identity& identity) const {
    aws::ContainerOptions options;
    options.full_uri = FirstSet(identity.uri, Variable("AWS_CONTAINER_CREDENTIALS_FULL_URI"));
    if (options.full_uri.empty()) options.full_uri = kPodIdentityUri;
    options.token_file =
        FirstSet(identity.token_file, Variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"));
    if (options.token_file.empty()) options.token_file = kPodIdentityTokenFile;
    return options;
  }

  const AwsClientPoolDependencies dependencies_;
  const plan::AwsSettings aws_;
  const std::map<std::string, plan::Identity> identities_;
  const std::string hint_url_;
  const EndpointFlags environment_flags_;
  const std::unique_ptr<net::HttpTransport> transport_;
  const std::unique_ptr<net::HttpTransport> direct_transport_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<aws::Sts>> sts_ KEYTURN_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<CredentialsProvider>> providers_ KEYTURN_GUARDED_BY(mutex_);
  // Not annotated: Get takes each by reference and holds the lock.
  Clients<aws::SecretsManager> secrets_managers_;
  Clients<aws::SecretsManager> hints_;
  Clients<aws::Ssm> ssms_;
};

}  // namespace

Result<std::shared_ptr<ClientPool>> CreateAwsClientPool(
    const AwsClientPoolDependencies& dependencies, const plan::Plan& plan) {
  const config::Environment& environment = *dependencies.environment;
  EndpointFlags flags;
  KEYTURN_ASSIGN_OR_RETURN(const auto fips, environment.GetBool("AWS_USE_FIPS_ENDPOINT"));
  KEYTURN_ASSIGN_OR_RETURN(const auto dual, environment.GetBool("AWS_USE_DUALSTACK_ENDPOINT"));
  flags.fips = fips.value_or(false);
  flags.dual_stack = dual.value_or(false);
  net::TransportOptions options = ServiceTransport(dependencies, plan.aws);
  net::TransportOptions direct = options;
  direct.proxy = {};
  KEYTURN_ASSIGN_OR_RETURN(auto transport, dependencies.make_transport(std::move(options)));
  KEYTURN_ASSIGN_OR_RETURN(auto direct_transport, dependencies.make_transport(std::move(direct)));
  auto pool = std::make_shared<AwsClientPool>(dependencies, plan, std::move(transport),
                                              std::move(direct_transport), flags);
  KEYTURN_RETURN_IF_ERROR(pool->CheckIdentities());
  return std::shared_ptr<ClientPool>(std::move(pool));
}

}  // namespace keyturn::delivery
