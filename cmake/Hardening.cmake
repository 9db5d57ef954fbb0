# Hardening flags that GCC 12 and clang 14 accept, per architecture. Off under sanitizers, which bring
# their own checks and conflict with _FORTIFY_SOURCE.
if(NOT KEYTURN_SANITIZE AND NOT KEYTURN_FUZZ)
  add_compile_options(-fstack-protector-strong -fstack-clash-protection -ftrivial-auto-var-init=zero
                      -fPIE)
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)  # needs the optimiser
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-fzero-call-used-regs=used-gpr)
  else()
    add_compile_options(-enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang
                        -Wno-unused-command-line-argument)
  endif()
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
    add_compile_options(-fcf-protection=full)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    add_compile_options(-mbranch-protection=standard)
  endif()
  add_link_options(-Wl,-z,relro,-z,now)
endif()
