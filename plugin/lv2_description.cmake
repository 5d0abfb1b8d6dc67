# SPDX-License-Identifier: GPL-3.0-or-later
# cmake -D BUNDLE=... -D URI=... -P lv2_description.cmake: completes the description that JUCE writes into an LV2 bundle with what
# it has no option for: the class, licence and home of the plugin, the parameters' units; and mends what JUCE says wrongly.
cmake_minimum_required(VERSION 3.25)

# Semicolons end statements in Turtle and separate elements in CMake's lists: text is only ever treated as a whole here.
function(read_turtle file)
  file(READ "${BUNDLE}/${file}" text)
  set(text "${text}" PARENT_SCOPE)
endfunction()
macro(replace before after)
  string(FIND "${text}" "${before}" found)
  if(found EQUAL -1)
    message(WARNING "${BUNDLE}: this JUCE does not write \"${before}\": look at lv2_description.cmake")
  endif()
  string(REPLACE "${before}" "${after}" text "${text}")
endmacro()

# --- the plugin ---
read_turtle(dsp.ttl)
if(text MATCHES "doap:license")
  return()  # described before, and not built anew
endif()
replace("\ta lv2:Plugin ;\n" "\ta lv2:Plugin , lv2:AmplifierPlugin , doap:Project ;\n\tdoap:license <https://spdx.org/licenses/GPL-3.0-or-later> ;\n\tdoap:homepage <${HOMEPAGE}> ;\n")
replace("\t\ta foaf:Person ;\n\t\tfoaf:name \"Serpent\" ;\n" "\t\ta foaf:Group ;\n\t\tfoaf:name \"The authors of Serpent\" ;\n")
replace("\t\tfoaf:mbox <> ;\n" "")

# --- its parameters: their names end in their units ---
string(APPEND text "\n")
foreach(unit IN ITEMS db:_db hz:_hz ms:_ms pc:mix)
  string(REGEX REPLACE "(.*):(.*)" "\\1" name "${unit}")
  string(REGEX REPLACE "(.*):(.*)" "\\2" ending "${unit}")
  string(REGEX REPLACE "(plug:[a-z_]*${ending}\n\ta lv2:Parameter ;\n)" "\\1\tunits:unit units:${name} ;\n" text "${text}")
endforeach()
# A model's knobs have the units of whatever model is loaded, so that here they are shares of their range, shown with two digits.
string(REGEX REPLACE "(plug:[ab]_control_[1-8]\n\ta lv2:Parameter ;\n)" "\\1\tunits:unit plug:share ;\n" text "${text}")
string(APPEND text "plug:share\n\ta units:Unit ;\n\trdfs:label \"share of the range\" ;\n\tunits:symbol \"\" ;\n\tunits:render \"%.2f\" .\n")
file(WRITE "${BUNDLE}/dsp.ttl" "${text}")

# --- its factory presets ---
read_turtle(manifest.ttl)
replace("\n<${URI}:preset1>" "\n<${URI}:Program>\n\ta rdf:Property , owl:DatatypeProperty ;\n\trdfs:label \"factory preset\" ;\n\trdfs:range xsd:int .\n\n<${URI}:preset1>")
replace("@prefix rdfs:" "@prefix rdf:   <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .\n@prefix owl:   <http://www.w3.org/2002/07/owl#> .\n@prefix rdfs:")
file(WRITE "${BUNDLE}/manifest.ttl" "${text}")

# --- its editor: opts:interface is extension data, no feature, and ui:noUserResize a feature, no extension data ---
read_turtle(ui.ttl)
replace("\t\tui:noUserResize ,\n" "")
replace("\tlv2:optionalFeature\n\t\tui:resize ,\n\t\topts:interface ,\n" "\tlv2:optionalFeature\n\t\tui:resize ,\n")
file(WRITE "${BUNDLE}/ui.ttl" "${text}")
