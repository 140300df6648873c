// output: JSON as it came, or a table of chosen columns.
#pragma once

#include <boost/json/value.hpp>

#include <string>
#include <vector>

namespace broker::cli {

[[nodiscard]] std::string table_of(const boost::json::array& rows, const std::vector<std::string>& columns, bool headers);
[[nodiscard]] std::string list_of(const boost::json::object& o); // key and value per line
[[nodiscard]] std::string text_of(const boost::json::value& v);

} // namespace broker::cli
