// output: JSON as it came, or a table of chosen columns.
#pragma once

#include <boost/json/value.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace broker::cli {

[[nodiscard]] std::string table_of(const boost::json::array& rows, const std::vector<std::string>& columns, bool headers);
[[nodiscard]] std::string list_of(const boost::json::object& o); // key and value per line
[[nodiscard]] std::string text_of(const boost::json::value& v);
[[nodiscard]] std::string printable(std::string_view text); // control characters as \xNN: a cell stays on its line
[[nodiscard]] std::string base64(std::string_view bytes);

} // namespace broker::cli
