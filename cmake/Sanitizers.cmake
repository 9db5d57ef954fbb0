# KEYTURN_SANITIZE: "address,undefined", "thread" or empty. Sanitized builds are dynamic: ASan cannot be
# linked with -static.
set(KEYTURN_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize=")
if(KEYTURN_SANITIZE)
  add_compile_options(-fsanitize=${KEYTURN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${KEYTURN_SANITIZE})
endif()
option(KEYTURN_FUZZ "Build the libFuzzer targets (clang)" OFF)
if(KEYTURN_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
