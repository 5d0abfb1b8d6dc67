# SPDX-License-Identifier: MIT
# Builds the report's page into serpent_core: {{fields}} are filled in by report.cpp. The scripts are joined in this
# order into one function scope.
set(SERPENT_REPORT_DIR ${CMAKE_CURRENT_LIST_DIR})
set(SERPENT_REPORT_SCRIPTS
    data.js chart.js curves.js spectrograms.js waveform.js waveform_draw.js blind_test.js player.js main.js)

file(READ ${SERPENT_REPORT_DIR}/page.html SERPENT_REPORT_PAGE_HTML)
file(READ ${SERPENT_REPORT_DIR}/part.html SERPENT_REPORT_PART_HTML)
file(READ ${SERPENT_REPORT_DIR}/generator.html SERPENT_REPORT_GENERATOR_HTML)
foreach(page PAGE PART GENERATOR) # without the licence line, which would come once for every part
  string(REGEX REPLACE "^<!--[^\n]*-->\n" "" SERPENT_REPORT_${page}_HTML "${SERPENT_REPORT_${page}_HTML}")
endforeach()
file(READ ${SERPENT_REPORT_DIR}/style.css SERPENT_REPORT_STYLE_CSS)
set(SERPENT_REPORT_SCRIPT_JS "")
foreach(script IN LISTS SERPENT_REPORT_SCRIPTS)
  file(READ ${SERPENT_REPORT_DIR}/${script} text)
  string(APPEND SERPENT_REPORT_SCRIPT_JS "${text}\n")
endforeach()

set(SERPENT_REPORT_GENERATOR_JS "")
foreach(script data.js chart.js spectrograms.js generator.js)
  file(READ ${SERPENT_REPORT_DIR}/${script} text)
  string(APPEND SERPENT_REPORT_GENERATOR_JS "${text}\n")
endforeach()
list(APPEND SERPENT_REPORT_SCRIPTS generator.js)

list(TRANSFORM SERPENT_REPORT_SCRIPTS PREPEND ${SERPENT_REPORT_DIR}/)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${SERPENT_REPORT_SCRIPTS}
             ${SERPENT_REPORT_DIR}/page.html ${SERPENT_REPORT_DIR}/part.html ${SERPENT_REPORT_DIR}/generator.html
             ${SERPENT_REPORT_DIR}/style.css)
configure_file(${SERPENT_REPORT_DIR}/page_templates.cpp.in ${CMAKE_CURRENT_BINARY_DIR}/report/page_templates.cpp @ONLY)
target_sources(serpent_core PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/report/page_templates.cpp)
