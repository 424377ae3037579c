# cmake --install: headers, libraries, a CMake package and a pkg-config file.

include(CMakePackageConfigHelpers)

option(COIR_INSTALL "Install coir with the project" ${PROJECT_IS_TOP_LEVEL})
if(NOT COIR_INSTALL)
    return()
endif()

set(coir_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/coir")
set(coir_installed coir)
if(TARGET coir_testing)
    list(APPEND coir_installed coir_testing)
endif()

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/coir" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILES_MATCHING PATTERN "*.hpp")
install(TARGETS ${coir_installed} EXPORT coirTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(EXPORT coirTargets NAMESPACE coir:: DESTINATION "${coir_package_dir}")

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/coirConfig.cmake.in"
                              "${PROJECT_BINARY_DIR}/coirConfig.cmake"
                              INSTALL_DESTINATION "${coir_package_dir}"
                              NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/coirConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/coirConfig.cmake" "${PROJECT_BINARY_DIR}/coirConfigVersion.cmake"
        DESTINATION "${coir_package_dir}")

# The file finds its prefix from its own place, so an installed tree may be moved. Absolute install
# directories (some distributions pass them) are kept as they are.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
    set(COIR_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
    set(COIR_PC_LIBDIR "${CMAKE_INSTALL_FULL_LIBDIR}")
    set(COIR_PC_INCLUDEDIR "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
else()
    file(RELATIVE_PATH up "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
    string(REGEX REPLACE "/$" "" up "${up}")
    set(COIR_PC_PREFIX "\${pcfiledir}/${up}")
    set(COIR_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
    set(COIR_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
set(COIR_PC_SANITIZE "")
if(COIR_SANITIZE STREQUAL "address")
    set(COIR_PC_SANITIZE " -fsanitize=address,undefined")
elseif(COIR_SANITIZE STREQUAL "thread")
    set(COIR_PC_SANITIZE " -fsanitize=thread")
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/coir.pc.in" "${PROJECT_BINARY_DIR}/coir.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/coir.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
if(TARGET coir_testing)
    configure_file("${PROJECT_SOURCE_DIR}/cmake/coir-testing.pc.in" "${PROJECT_BINARY_DIR}/coir-testing.pc" @ONLY)
    install(FILES "${PROJECT_BINARY_DIR}/coir-testing.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endif()
