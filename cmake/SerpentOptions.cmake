# SPDX-License-Identifier: GPL-3.0-or-later
option(SERPENT_BUILD_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(SERPENT_BUILD_BENCHMARKS "Build the Google Benchmark suite" ${PROJECT_IS_TOP_LEVEL})
set(SERPENT_LIVE AUTO CACHE STRING "serpent live and serpent devices, through RtAudio: AUTO, ON or OFF")
option(SERPENT_QUICK "Build sooner: the command's own sources, which compute nothing, with -O1; library and kernels as ever" OFF)
set(SERPENT_SANITIZE "" CACHE STRING "Sanitizers, for instance address,undefined or thread")

add_library(serpent_warnings INTERFACE)
target_compile_options(serpent_warnings INTERFACE "$<$<COMPILE_LANGUAGE:C,CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wno-psabi;-Wno-missing-field-initializers>")
if(SERPENT_SANITIZE)
  add_compile_options(-fsanitize=${SERPENT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SERPENT_SANITIZE})
endif()

find_program(SERPENT_CCACHE ccache)
if(SERPENT_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${SERPENT_CCACHE})
endif()

message(STATUS "Tests: ${SERPENT_BUILD_TESTS}")
message(STATUS "Benchmarks: ${SERPENT_BUILD_BENCHMARKS}")
if(SERPENT_SANITIZE)
  message(STATUS "Sanitizers: ${SERPENT_SANITIZE}")
endif()
