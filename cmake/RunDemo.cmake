# cmake -DEXPECT=file -DACTUAL=file -P RunDemo.cmake -- program [argument...]
# Runs a demo. It must exit with 0 and, unless EXPECT is empty, write exactly that file to stdout.

set(command "")
set(after_dashes FALSE)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
    if(after_dashes)
        list(APPEND command "${CMAKE_ARGV${i}}")
    elseif(CMAKE_ARGV${i} STREQUAL "--")
        set(after_dashes TRUE)
    endif()
endforeach()

execute_process(COMMAND ${command} OUTPUT_FILE "${ACTUAL}" RESULT_VARIABLE result)

function(show_output)
    file(READ "${ACTUAL}" text)
    message("--- what it printed ---\n${text}-----------------------")
endfunction()

if(NOT result EQUAL 0)
    show_output()
    message(FATAL_ERROR "The demo ended with: ${result}")
endif()
if(EXPECT STREQUAL "")
    show_output()
    return()
endif()

execute_process(COMMAND "${CMAKE_COMMAND}" -E compare_files "${EXPECT}" "${ACTUAL}"
                RESULT_VARIABLE differs OUTPUT_QUIET ERROR_QUIET)
if(differs)
    find_program(DIFF diff)
    if(DIFF)
        execute_process(COMMAND "${DIFF}" -u "${EXPECT}" "${ACTUAL}")
    else()
        show_output()
    endif()
    message(FATAL_ERROR "The demo did not print what ${EXPECT} says")
endif()
