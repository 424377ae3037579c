# coir_add_test(<stem>
#     [SOURCES file...]           default: <stem>.cpp
#     [LIBRARIES target...]       to link besides coir, the test kit and GoogleTest
#     [LABELS label...]           besides the name of the folder, which every test has
#     [TIMEOUT seconds]           per test; default 60; multiplied under sanitizers
#     [SEEDS]                     its COIR_TESTs run in many random orders, too, as seeds.<stem>
#     [PROPERTIES name value...]) any other property of the tests, such as RUN_SERIAL ON
#
# builds the executable <stem> and registers each of its tests as <stem>.<Suite>.<name>, run in a process of
# its own. Tests may include private headers ("fiber/context.hpp") and shared ones from tests/.

include(GoogleTest)

# A test's own variables are for the debug preset: without them a release build takes a third less time.
function(coir_test_flags target)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-g1>)
endfunction()

# What nearly every test includes is parsed once. That coir's headers stand alone is a test of its own (tests/tidy).
if(NOT TARGET coir-test-headers)
    file(WRITE "${PROJECT_BINARY_DIR}/test_headers.cpp" "")
    add_library(coir-test-headers OBJECT EXCLUDE_FROM_ALL "${PROJECT_BINARY_DIR}/test_headers.cpp")
    target_link_libraries(coir-test-headers PRIVATE coir::coir GTest::gtest_main)
    coir_private_headers(coir-test-headers)
    coir_warnings(coir-test-headers)
    coir_test_flags(coir-test-headers)
    target_precompile_headers(
        coir-test-headers PRIVATE <gtest/gtest.h> <algorithm> <atomic> <chrono> <functional> <memory> <mutex> <string>
                                  <thread> <vector> <coir/coir.hpp>)
endif()

function(coir_add_test stem)
    cmake_parse_arguments(PARSE_ARGV 1 arg "SEEDS" "TIMEOUT" "SOURCES;LIBRARIES;LABELS;PROPERTIES")
    if(arg_UNPARSED_ARGUMENTS OR arg_KEYWORDS_MISSING_VALUES)
        message(FATAL_ERROR "coir_add_test(${stem}): cannot read '${arg_UNPARSED_ARGUMENTS}"
                            "${arg_KEYWORDS_MISSING_VALUES}'; the files go after SOURCES")
    endif()
    if(NOT arg_SOURCES)
        set(arg_SOURCES ${stem}.cpp)
    endif()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 60)
    endif()
    math(EXPR timeout "${arg_TIMEOUT} * ${COIR_TIMEOUT_SCALE}")
    get_filename_component(folder "${CMAKE_CURRENT_SOURCE_DIR}" NAME)

    add_executable(${stem} ${arg_SOURCES})
    target_include_directories(${stem} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
    coir_private_headers(${stem})
    target_link_libraries(${stem} PRIVATE coir::coir GTest::gtest_main ${arg_LIBRARIES})
    if(TARGET coir-test-end)
        target_link_libraries(${stem} PRIVATE coir-test-end)
    endif()
    if(TARGET coir::testing)
        target_link_libraries(${stem} PRIVATE coir::testing)
    endif()
    coir_warnings(${stem})
    coir_test_flags(${stem})
    if(NOT arg_LIBRARIES)
        target_precompile_headers(${stem} REUSE_FROM coir-test-headers)
    endif()

    # One target per folder, so that a part of the tests can be built alone.
    if(NOT TARGET tests-${folder})
        add_custom_target(tests-${folder})
    endif()
    add_dependencies(tests-${folder} ${stem})

    # The list of tests is read when ctest starts, from executables that changed, so that a build does not
    # run what it has built.
    gtest_discover_tests(
        ${stem}
        TEST_PREFIX "${stem}."
        TEST_LIST ${stem}_TESTS
        DISCOVERY_MODE PRE_TEST
        DISCOVERY_TIMEOUT 120
        PROPERTIES LABELS "${folder}" TIMEOUT ${timeout} ${arg_PROPERTIES})

    if(arg_SEEDS)
        add_test(NAME seeds.${stem} COMMAND ${stem} --gtest_brief=1)
        math(EXPR seeds_timeout "600 * ${COIR_TIMEOUT_SCALE}")
        set_tests_properties(seeds.${stem} PROPERTIES LABELS "${folder}" TIMEOUT ${seeds_timeout}
                             ENVIRONMENT COIR_SEEDS=${COIR_TEST_SEEDS} ${arg_PROPERTIES})
    endif()

    # gtest_discover_tests takes lists of labels apart, so further ones are set when the tests are known.
    if(arg_LABELS)
        set(labels_file "${CMAKE_CURRENT_BINARY_DIR}/${stem}_labels.cmake")
        file(WRITE "${labels_file}" "if(${stem}_TESTS)\n"
             "  set_tests_properties(\${${stem}_TESTS} PROPERTIES LABELS \"${folder};${arg_LABELS}\")\n"
             "endif()\n")
        set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${labels_file}")
    endif()
endfunction()
