#include "cli/output.hpp"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>

namespace broker::cli {

std::string text_of(const boost::json::value& v) {
    if (v.is_string()) return std::string{v.as_string()};
    if (v.is_null()) return "-";
    return boost::json::serialize(v);
}

std::string table_of(const boost::json::array& rows, const std::vector<std::string>& columns, bool headers) {
    std::vector<std::vector<std::string>> cells;
    if (headers) {
        auto& first = cells.emplace_back(columns);
        for (auto& name : first) std::ranges::transform(name, name.begin(), [](char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); });
    }
    for (const auto& row : rows) {
        auto& line = cells.emplace_back();
        for (const auto& c : columns) {
            const auto* const v = row.as_object().if_contains(c);
            line.push_back(v == nullptr ? "" : printable(text_of(*v)));
        }
    }
    std::vector<std::size_t> width(columns.size());
    for (const auto& line : cells) {
        for (std::size_t i = 0; i != line.size(); ++i) width[i] = std::max(width[i], line[i].size());
    }
    std::string text;
    for (const auto& line : cells) {
        for (std::size_t i = 0; i != line.size(); ++i) {
            text += line[i];
            if (i + 1 != line.size()) text.append(width[i] - line[i].size() + 2, ' ');
        }
        text += '\n';
    }
    return text;
}

std::string list_of(const boost::json::object& o) {
    std::size_t width = 0;
    for (const auto& [key, value] : o) width = std::max(width, key.size());
    std::string text;
    for (const auto& [key, value] : o) {
        text += std::string{key} + std::string(width - key.size() + 2, ' ') + printable(text_of(value)) + "\n";
    }
    return text;
}

std::string printable(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7F) {
            safe += fmt::format("\\x{:02x}", byte);
        } else {
            safe += c;
        }
    }
    return safe;
}

std::string base64(std::string_view bytes) {
    std::string text(4 * ((bytes.size() + 2) / 3), '\0');
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                    static_cast<int>(bytes.size()));
    return text;
}

} // namespace broker::cli
