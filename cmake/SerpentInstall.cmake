# SPDX-License-Identifier: GPL-3.0-or-later
# `cmake --install`: the command, and serpent::core as a package for find_package(serpent).
include(CMakePackageConfigHelpers)
set(SERPENT_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/serpent)

set_target_properties(serpent_kernels PROPERTIES EXPORT_NAME kernels)
install(TARGETS serpent_core serpent_kernels EXPORT serpentTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY core/include/serpent kernels/include/serpent DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT serpentTargets NAMESPACE serpent:: DESTINATION ${SERPENT_PACKAGE_DIR})

configure_package_config_file(cmake/serpentConfig.cmake.in ${PROJECT_BINARY_DIR}/serpentConfig.cmake
                              INSTALL_DESTINATION ${SERPENT_PACKAGE_DIR} NO_SET_AND_CHECK_MACRO)
# Below 1.0 a minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/serpentConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/serpentConfig.cmake ${PROJECT_BINARY_DIR}/serpentConfigVersion.cmake
        DESTINATION ${SERPENT_PACKAGE_DIR})

install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES core/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME LICENSE.core-and-kernels)
