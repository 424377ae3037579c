# coir_add_demo(<name> source...
#     [EXPECT file]      the stdout that a run must give, in the source folder: <source stem>.out
#     [ARGS argument...] what a run by ctest passes
#     [TIMEOUT seconds]  default 60; multiplied under sanitizers
#     [NO_RUN])          build it, but do not run it: a server that does not end by itself
#
# builds the program <name>. Unless NO_RUN is given, ctest runs it as demo.<name>: it must exit with 0 and
# print what is expected.

function(coir_add_demo name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "NO_RUN" "EXPECT;TIMEOUT" "ARGS")
    if(NOT arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "coir_add_demo(${name}): no source file is named")
    endif()
    add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
    target_link_libraries(${name} PRIVATE coir::coir)
    coir_warnings(${name})

    if(NOT COIR_BUILD_TESTS OR arg_NO_RUN)
        return()
    endif()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 60)
    endif()
    math(EXPR timeout "${arg_TIMEOUT} * ${COIR_TIMEOUT_SCALE}")
    set(expected "")
    if(arg_EXPECT)
        get_filename_component(expected "${arg_EXPECT}" ABSOLUTE)
        if(NOT EXISTS "${expected}")
            message(FATAL_ERROR "coir_add_demo(${name}): there is no '${arg_EXPECT}'")
        endif()
    endif()
    add_test(NAME demo.${name}
             COMMAND "${CMAKE_COMMAND}" "-DEXPECT=${expected}"
                     "-DACTUAL=${CMAKE_CURRENT_BINARY_DIR}/${name}.out"
                     -P "${PROJECT_SOURCE_DIR}/cmake/RunDemo.cmake"
                     -- "$<TARGET_FILE:${name}>" ${arg_ARGS})
    set_tests_properties(demo.${name} PROPERTIES LABELS demos TIMEOUT ${timeout})
endfunction()
