# Boost.Context, fmt and threads: all that the core needs.

# Boost 1.74 is the oldest with the calls that we use. Its own config package comes first; CMake's find
# module (gone since CMake 3.30) serves installations that have none.
find_package(Boost 1.74 QUIET CONFIG COMPONENTS context)
if(NOT TARGET Boost::context)
    find_package(Boost 1.74 REQUIRED COMPONENTS context)
endif()

find_package(fmt REQUIRED)

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
