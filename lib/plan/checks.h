// The shapes of single values in a Plan. Every check names the field and the remedy.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "lib/base/status.h"

namespace keyturn::plan {

// "field: problem".
Status FieldError(std::string_view field, std::string_view problem);

// "field: problem, not 'value'", the value cut and cleaned.
Status ValueError(std::string_view field, std::string_view value, std::string_view problem);

// An absolute path in its shortest form, not "/", that the kernel takes.
Status CheckAbsolutePath(std::string_view field, std::string_view path);

// A path below a target, as the publisher takes it: relative, in its shortest form, its first
// component not beginning with "..".
Status CheckFilePath(std::string_view field, std::string_view path);

// A secret's name, partial ARN or ARN.
Status CheckSecretId(std::string_view field, std::string_view id);

// A parameter's name, with ":version" or ":label", or its ARN.
Status CheckParameterName(std::string_view field, std::string_view name);

Status CheckRoleArn(std::string_view field, std::string_view arn);
Status CheckSessionName(std::string_view field, std::string_view name);
Status CheckExternalId(std::string_view field, std::string_view id);
Status CheckStage(std::string_view field, std::string_view stage);
Status CheckVersionId(std::string_view field, std::string_view id);
Status CheckRegion(std::string_view field, std::string_view region);

// A name that people choose: of an identity.
Status CheckIdentityName(std::string_view field, std::string_view name);

// A name of `with`, as templates write it: {{db.password}}.
Status CheckInputName(std::string_view field, std::string_view name);

// Loopback for the application that shares our network namespace, http or https.
Status CheckLoopbackUrl(std::string_view field, std::string_view url);

// https anywhere, or http to loopback: secrets and signed requests never cross a network in clear.
Status CheckServiceUrl(std::string_view field, std::string_view url);

// A hint service: CheckServiceUrl, and no endpoint of AWS. It is asked for keyturn's own operation
// without having announced it, and AWS would count that as an unknown operation.
Status CheckHintUrl(std::string_view field, std::string_view url);

// Where container credentials come from: CheckServiceUrl, or one of the link-local addresses of ECS
// and EKS.
Status CheckCredentialsUrl(std::string_view field, std::string_view url);

Status CheckProxyUrl(std::string_view field, std::string_view url);

}  // namespace keyturn::plan
