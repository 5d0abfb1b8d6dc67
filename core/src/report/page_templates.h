// SPDX-License-Identifier: MIT
// The page's parts, kept as the .html, .css and .js files of this folder and built in by CMake (templates.cmake).
#pragma once

#include <string_view>

namespace serpent::report {

extern const std::string_view page_html;  ///< with the fields {{title}}, {{style}}...
extern const std::string_view part_html;  ///< one scored part, with its own fields
extern const std::string_view style_css;
extern const std::string_view script_js;
extern const std::string_view generator_html;  ///< a generator's page
extern const std::string_view generator_js;

} // namespace serpent::report
