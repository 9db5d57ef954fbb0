# One function per kind of target, so that a module's CMakeLists.txt reads as its bill of materials.
include(CMakeParseArguments)

# keyturn_library(NAME SRCS … DEPS … PRIVATE_DEPS …)
# Target keyturn_NAME, alias keyturn::NAME. DEPS are visible in headers; PRIVATE_DEPS only in sources.
function(keyturn_library NAME)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS;PRIVATE_DEPS" ${ARGN})
  if(NOT ARG_SRCS)  # headers only
    add_library(keyturn_${NAME} INTERFACE)
    add_library(keyturn::${NAME} ALIAS keyturn_${NAME})
    target_include_directories(keyturn_${NAME} INTERFACE ${PROJECT_SOURCE_DIR})
    target_link_libraries(keyturn_${NAME} INTERFACE ${ARG_DEPS})
    return()
  endif()
  add_library(keyturn_${NAME} STATIC ${ARG_SRCS})
  add_library(keyturn::${NAME} ALIAS keyturn_${NAME})
  target_include_directories(keyturn_${NAME} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(keyturn_${NAME} PUBLIC ${ARG_DEPS} PRIVATE keyturn_warnings ${ARG_PRIVATE_DEPS})
endfunction()

# keyturn_test(NAME SRCS … DEPS … LABELS …): a GoogleTest program; every case is a ctest test.
# DATA_DIR is tests/data; tests run with the source tree as working directory.
function(keyturn_test NAME)
  if(NOT KEYTURN_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "TIMEOUT" "SRCS;DEPS;LABELS;ENVIRONMENT" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${NAME} ${ARG_SRCS})
  target_compile_definitions(${NAME} PRIVATE KEYTURN_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(${NAME} PRIVATE keyturn_warnings ${ARG_DEPS} gmock gtest gtest_main Threads::Threads)
  gtest_discover_tests(${NAME} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} DISCOVERY_TIMEOUT 120
    TEST_PREFIX "${NAME}." PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "${ARG_ENVIRONMENT}")
endfunction()

# keyturn_fuzzer(NAME SRCS … DEPS …): a libFuzzer program under the fuzz preset; everywhere else a
# regression runner that replays tests/fuzz/corpus/NAME once as a ctest test.
function(keyturn_fuzzer NAME)
  if(NOT KEYTURN_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  if(KEYTURN_FUZZ)
    add_executable(${NAME} ${ARG_SRCS})
    target_link_options(${NAME} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${NAME} ${ARG_SRCS} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    add_test(NAME ${NAME}.Corpus COMMAND ${NAME} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${NAME})
    set_tests_properties(${NAME}.Corpus PROPERTIES LABELS fuzz TIMEOUT 120)
  endif()
  target_link_libraries(${NAME} PRIVATE keyturn_warnings ${ARG_DEPS})
endfunction()
