# SPDX-License-Identifier: MIT
# serpent::c, the C API as a shared library that shows nothing else, and serpent::c_static, the same as an archive.
configure_file(c_api/version.h.in ${CMAKE_CURRENT_BINARY_DIR}/include/serpent/version.h @ONLY)
set(SERPENT_C_ABI 1)  # the soname's; goes up where a program would have to be compiled anew
file(STRINGS include/serpent/serpent.h SERPENT_C_API REGEX "^#define SERPENT_API_VERSION ")
string(REGEX REPLACE ".* " "" SERPENT_C_API "${SERPENT_C_API}")

file(GLOB SERPENT_C_SOURCES CONFIGURE_DEPENDS c_api/*.cpp)
add_library(serpent_c_objects OBJECT ${SERPENT_C_SOURCES})
set_target_properties(serpent_c_objects PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
target_compile_definitions(serpent_c_objects PRIVATE SERPENT_BUILDING)
target_include_directories(serpent_c_objects PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(serpent_c_objects PRIVATE serpent_core serpent_warnings)

add_library(serpent_c SHARED $<TARGET_OBJECTS:serpent_c_objects>)
add_library(serpent_c_static STATIC $<TARGET_OBJECTS:serpent_c_objects>)
foreach(library c c_static)
  add_library(serpent::${library} ALIAS serpent_${library})
  set_target_properties(serpent_${library} PROPERTIES OUTPUT_NAME serpent EXPORT_NAME ${library} LINKER_LANGUAGE CXX)
  target_include_directories(serpent_${library} INTERFACE
    $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<BUILD_INTERFACE:${CMAKE_CURRENT_BINARY_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(serpent_${library} PRIVATE serpent_core)
endforeach()
set_target_properties(serpent_c PROPERTIES SOVERSION ${SERPENT_C_ABI} VERSION ${SERPENT_C_ABI}.${SERPENT_C_API})
target_compile_definitions(serpent_c_static INTERFACE SERPENT_STATIC)
if(WIN32)
  set_target_properties(serpent_c_static PROPERTIES OUTPUT_NAME serpent_static)  # serpent.lib is the import library
elseif(APPLE)
  target_link_options(serpent_c PRIVATE -Wl,-exported_symbol,_serpent_*)
else()
  # The archives within and the standard library's templates stay hidden too: another Serpent in the same process does no harm.
  set(exports ${CMAKE_CURRENT_SOURCE_DIR}/c_api/exports.map)
  target_link_options(serpent_c PRIVATE -Wl,--version-script=${exports})
  if(NOT SERPENT_SANITIZE)
    target_link_options(serpent_c PRIVATE -Wl,--no-undefined)
  endif()
  set_target_properties(serpent_c PROPERTIES LINK_DEPENDS ${exports})
endif()
