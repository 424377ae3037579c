# The flags and folders that every target of this repository shares.

# The floors of the house, lowest first. A folder joins the build when it has a CMakeLists.txt.
set(COIR_FOLDERS base fiber hub task sync exec net debug)

# Limits of time are for a plain build; a sanitizer makes everything several times slower.
set(COIR_TIMEOUT_SCALE 1)
set(COIR_TEST_SEEDS 1000)
if(COIR_SANITIZE)
    set(COIR_TIMEOUT_SCALE 4)
    set(COIR_TEST_SEEDS 50)
endif()

# Adds each named subfolder of the current one that has a CMakeLists.txt.
macro(coir_add_folders)
    foreach(coir_folder IN ITEMS ${ARGN})
        if(EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${coir_folder}/CMakeLists.txt")
            add_subdirectory(${coir_folder})
        endif()
    endforeach()
endmacro()

# Warnings for our own code, and only in our own build.
function(coir_warnings target)
    if(NOT PROJECT_IS_TOP_LEVEL)
        return()
    endif()
    # Designated initialisers that leave the rest at their defaults are how this library takes its options.
    set(flags -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
              -Wno-missing-field-initializers)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
            # False alarms on std::string's operator+ (GCC bug 105651).
            list(APPEND flags -Wno-restrict)
        endif()
        if(COIR_SANITIZE)
            # GCC documents that instrumentation confuses this analysis.
            list(APPEND flags -Wno-maybe-uninitialized)
        endif()
    endif()
    if(COIR_WARNINGS_AS_ERRORS)
        list(APPEND flags -Werror)
    endif()
    target_compile_options(${target} PRIVATE ${flags})
endfunction()

# Sanitizer flags reach everything that links the target: half an instrumented program reports nonsense.
function(coir_sanitize target)
    if(COIR_SANITIZE STREQUAL "")
        return()
    elseif(COIR_SANITIZE STREQUAL "address")
        set(flags -fsanitize=address,undefined -fno-sanitize-recover=all)
    elseif(COIR_SANITIZE STREQUAL "thread")
        set(flags -fsanitize=thread)
    else()
        message(FATAL_ERROR "COIR_SANITIZE is '${COIR_SANITIZE}'; it takes 'address', 'thread' or nothing")
    endif()
    target_compile_options(${target} PUBLIC ${flags})
    target_link_options(${target} PUBLIC ${flags})
endfunction()

# For whoever includes private headers. What fiber/hop.hpp relies on goes with them.
function(coir_private_headers target)
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/src")
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
        target_compile_options(${target} PRIVATE -mno-red-zone)
        target_compile_definitions(${target} PRIVATE COIR_NO_RED_ZONE)
    endif()
endfunction()

# A static library of ours: libNAME.a with the public headers in include/ and private ones rooted in src/.
function(coir_add_library target)
    add_library(${target} STATIC)
    target_compile_features(${target} PUBLIC cxx_std_20)
    target_include_directories(
        ${target}
        PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
               "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
    coir_private_headers(${target})
    # One frame larger than a page must not step over the guard page of a fiber's stack. Code that runs on
    # fibers is the user's, so the flag goes to everyone who links us.
    target_compile_options(${target} PUBLIC "$<$<COMPILE_LANGUAGE:C,CXX>:-fstack-clash-protection>")
    coir_warnings(${target})
    coir_sanitize(${target})
endfunction()
