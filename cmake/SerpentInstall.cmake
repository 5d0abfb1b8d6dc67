# SPDX-License-Identifier: GPL-3.0-or-later
# `cmake --install`: the command, serpent::core and the C API as a package for find_package(serpent), and for pkg-config.
include(CMakePackageConfigHelpers)
set(SERPENT_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/serpent)

set_target_properties(serpent_kernels PROPERTIES EXPORT_NAME kernels)
install(TARGETS serpent_core serpent_kernels serpent_c_static EXPORT serpentTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
# By itself: who uses the shared library needs none of what the archives need.
install(TARGETS serpent_c EXPORT serpentCTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY core/include/serpent kernels/include/serpent DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${PROJECT_BINARY_DIR}/core/include/serpent/version.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/serpent)
install(EXPORT serpentTargets NAMESPACE serpent:: DESTINATION ${SERPENT_PACKAGE_DIR})
install(EXPORT serpentCTargets NAMESPACE serpent:: DESTINATION ${SERPENT_PACKAGE_DIR})

configure_package_config_file(cmake/serpentConfig.cmake.in ${PROJECT_BINARY_DIR}/serpentConfig.cmake
                              INSTALL_DESTINATION ${SERPENT_PACKAGE_DIR} NO_SET_AND_CHECK_MACRO)
# Below 1.0 a minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/serpentConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/serpentConfig.cmake ${PROJECT_BINARY_DIR}/serpentConfigVersion.cmake
        DESTINATION ${SERPENT_PACKAGE_DIR})

set(SERPENT_PC_DIR ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH SERPENT_PC_PREFIX /prefix/${SERPENT_PC_DIR} /prefix)
string(REGEX REPLACE "/$" "" SERPENT_PC_PREFIX "${SERPENT_PC_PREFIX}")
set(SERPENT_PC_REQUIRES "sndfile, soxr, samplerate, kissfft-float, libhwy")
if(APPLE)
  set(SERPENT_PC_LIBS "-lc++ -lm -pthread")
else()
  set(SERPENT_PC_LIBS "-lstdc++ -lm -pthread")
endif()
if(SERPENT_HAS_CUDA)
  string(PREPEND SERPENT_PC_LIBS "-L${CUDAToolkit_LIBRARY_DIR} -lcudart_static -ldl -lrt ")
endif()
configure_file(cmake/serpent.pc.in ${PROJECT_BINARY_DIR}/serpent.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/serpent.pc DESTINATION ${SERPENT_PC_DIR})

install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES core/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME LICENSE.core-and-kernels)
