# Warnings of every translation unit of ours. Errors only in presets (KEYTURN_WERROR), so that a
# newer compiler cannot break somebody's plain build.
option(KEYTURN_WERROR "Treat warnings as errors" OFF)

add_library(keyturn_warnings INTERFACE)
target_compile_options(keyturn_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Wold-style-cast -Wmissing-declarations)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(keyturn_warnings INTERFACE -Wuseless-cast -Wduplicated-cond -Wlogical-op)
else()
  target_compile_options(keyturn_warnings INTERFACE -Wthread-safety -Wno-missing-declarations)
endif()
if(KEYTURN_WERROR)
  target_compile_options(keyturn_warnings INTERFACE -Werror)
endif()
