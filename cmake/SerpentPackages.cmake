# SPDX-License-Identifier: GPL-3.0-or-later
# What is installed beside library and command, and `cpack`: Debian packages and a tarball that runs wherever it is unpacked.
# Three components: command -> serpent, plugins -> serpent-plugins, development -> libserpent-dev (all that names none).
set(packaging ${PROJECT_SOURCE_DIR}/packaging)
set(SERPENT_DATA_DIR ${CMAKE_INSTALL_DATADIR}/serpent)

# --- the command: models beside it (standalone/shipped_models.cpp looks there), manual pages and completions, which it writes
install(DIRECTORY assets/models assets/generators DESTINATION ${SERPENT_DATA_DIR} COMPONENT command)
if(NOT CMAKE_CROSSCOMPILING)
  set(written ${PROJECT_BINARY_DIR}/written)
  file(MAKE_DIRECTORY ${written}/man ${written}/bash ${written}/zsh ${written}/fish)
  add_custom_command(OUTPUT ${written}/bash/serpent ${written}/zsh/_serpent ${written}/fish/serpent.fish ${written}/man/serpent.1
    COMMAND serpent manual --folder man
    COMMAND serpent completion bash > bash/serpent
    COMMAND serpent completion zsh > zsh/_serpent
    COMMAND serpent completion fish > fish/serpent.fish
    DEPENDS serpent WORKING_DIRECTORY ${written} VERBATIM COMMENT "Writing manual pages and completions")
  add_custom_target(serpent_written ALL DEPENDS ${written}/man/serpent.1)
  # OPTIONAL: who built only the target `serpent` can install what there is.
  install(DIRECTORY ${written}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT command OPTIONAL)
  install(FILES ${written}/bash/serpent DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT command OPTIONAL)
  install(FILES ${written}/zsh/_serpent DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT command OPTIONAL)
  install(FILES ${written}/fish/serpent.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT command OPTIONAL)
endif()

# --- the plugins, where Linux looks for them; on a Mac one copies the bundles (docs/plugin.md)
if(SERPENT_HAS_PLUGIN AND CMAKE_SYSTEM_NAME STREQUAL Linux)
  set(artefacts ${PROJECT_BINARY_DIR}/plugin/serpent_plugin_artefacts/${CMAKE_BUILD_TYPE})
  install(DIRECTORY ${artefacts}/VST3/Serpent.vst3 DESTINATION lib/vst3 COMPONENT plugins USE_SOURCE_PERMISSIONS OPTIONAL)
  install(DIRECTORY ${artefacts}/LV2/Serpent.lv2 DESTINATION lib/lv2 COMPONENT plugins USE_SOURCE_PERMISSIONS OPTIONAL)
  install(PROGRAMS ${artefacts}/Standalone/Serpent DESTINATION ${CMAKE_INSTALL_BINDIR} RENAME serpent-player COMPONENT plugins OPTIONAL)
  install(FILES ${packaging}/serpent-player.desktop DESTINATION ${CMAKE_INSTALL_DATADIR}/applications COMPONENT plugins)
  install(FILES ${packaging}/serpent-player.svg DESTINATION ${CMAKE_INSTALL_DATADIR}/icons/hicolor/scalable/apps COMPONENT plugins)
  install(FILES ${packaging}/serpent-player.xml DESTINATION ${CMAKE_INSTALL_DATADIR}/mime/packages COMPONENT plugins)
endif()

set(CPACK_COMPONENTS_ALL command development)
if(SERPENT_HAS_PLUGIN AND CMAKE_SYSTEM_NAME STREQUAL Linux)
  list(APPEND CPACK_COMPONENTS_ALL plugins)
endif()
foreach(pair command:serpent plugins:serpent-plugins development:libserpent-dev)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 component)
  list(GET pair 1 package)
  string(TOUPPER ${component} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${package})
  if(component IN_LIST CPACK_COMPONENTS_ALL)
    install(FILES ${packaging}/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package} COMPONENT ${component})
  endif()
endforeach()

# --- packages
set(CPACK_PACKAGE_NAME serpent)
set(CPACK_PACKAGE_VENDOR "The Serpent developers")
set(CPACK_PACKAGE_CONTACT "The Serpent developers <developers@serpent.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Plays and trains neural models of amplifiers, pedals and compressors")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_FILE_NAME serpent-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/reproducible.cmake)  # strips, and sets the times of all files
find_program(SERPENT_DPKG_SHLIBDEPS dpkg-shlibdeps)
if(SERPENT_DPKG_SHLIBDEPS)
  list(APPEND CPACK_GENERATOR DEB)
endif()
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_COMMAND_PACKAGE_SECTION sound)
set(CPACK_DEBIAN_PLUGINS_PACKAGE_SECTION sound)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_COMMAND_DESCRIPTION "${CPACK_PACKAGE_DESCRIPTION_SUMMARY}
 The command serpent: captures gear from recordings, plays files and live sound through models, makes sound of its own.")
set(CPACK_COMPONENT_PLUGINS_DESCRIPTION "Serpent's player of captures as VST3, LV2 and program
 Gate, two models with loudness matching, equaliser, cabinet, presets. Plays Serpent's models and .nam captures.")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "Serpent as a C++ library
 Headers, static library and CMake package of serpent::core, which plays, renders and trains models; the C API as a shared library.")
# JUCE opens these when it needs them, so that no tool sees it.
set(CPACK_DEBIAN_PLUGINS_PACKAGE_DEPENDS "libx11-6, libxext6, libxcursor1, libxinerama1, libxrandr2, libxrender1")
set(CPACK_DEBIAN_PLUGINS_PACKAGE_RECOMMENDS serpent)
# What find_package(serpent) asks for.
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "libsndfile1-dev, libsoxr-dev, libsamplerate0-dev, libkissfft-dev, libhwy-dev, nlohmann-json3-dev, pkg-config | pkgconf")
include(CPack)
