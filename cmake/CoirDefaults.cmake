# What a build of coir by itself takes for granted. A project that adds coir as a subdirectory decides all
# of this for itself, so nothing here applies to it.

if(NOT PROJECT_IS_TOP_LEVEL)
    return()
endif()

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
    find_program(COIR_CCACHE ccache)
    mark_as_advanced(COIR_CCACHE)
    if(COIR_CCACHE)
        set(CMAKE_CXX_COMPILER_LAUNCHER "${COIR_CCACHE}")
    endif()
endif()
