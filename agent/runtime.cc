// SPDX-License-Identifier: Apache-2.0
#include "agent/runtime.h"

#include <utility>

#include "lib/delivery/aws_client_pool.h"

namespace keyturn::agent {

delivery::PipelineDependencies Runtime::PipelineDeps() {
  delivery::PipelineDependencies dependencies;
  dependencies.clock = &clock;
  dependencies.sleeper = &sleeper;
  dependencies.random = &random;
  dependencies.logger = logger.get();
  dependencies.metrics = &metrics;
  dependencies.file_system = file_system.get();
  dependencies.notify_transport = direct_transport.get();
  dependencies.make_clients = [this](const plan::Plan& plan) { return MakeClients(plan); };
  return dependencies;
}

Result<std::shared_ptr<delivery::ClientPool>> Runtime::MakeClients(const plan::Plan& plan) {
  delivery::AwsClientPoolDependencies dependencies;
  dependencies.clock = &clock;
  dependencies.sleeper = &sleeper;
  dependencies.random = &random;
  dependencies.logger = logger.get();
  dependencies.metrics = &metrics;
  dependencies.file_system = file_system.get();
  dependencies.environment = &environment;
  dependencies.make_transport = net::CreateBeastTransport;
  return delivery::CreateAwsClientPool(dependencies, plan);
}

Result<std::unique_ptr<Runtime>> CreateRuntime(const std::string& log_level) {
  KEYTURN_ASSIGN_OR_RETURN(const LogLevel level, ParseLogLevel(log_level));
  auto runtime = std::make_unique<Runtime>(config::Environment::FromProcess());
  runtime->logger = CreateJsonLogger(level);
  runtime->file_system = fs::CreatePosixFileSystem();
  net::TransportOptions options;
  options.clock = &runtime->clock;
  KEYTURN_ASSIGN_OR_RETURN(runtime->direct_transport,
                           net::CreateBeastTransport(std::move(options)));
  return runtime;
}

}  // namespace keyturn::agent
