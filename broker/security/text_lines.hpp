// text_lines: the lines of a text file that was read whole, numbered from 1, without their ends ("\n" or "\r\n").
#pragma once

#include <cstddef>
#include <string_view>

namespace broker::security {

class text_lines {
public:
    explicit text_lines(std::string_view text) : rest_{text} {}
    // False: there are no more.
    [[nodiscard]] bool next() {
        if (rest_.empty()) return false;
        const auto end = rest_.find('\n');
        line_ = rest_.substr(0, end);
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
        if (line_.ends_with('\r')) line_.remove_suffix(1);
        ++number_;
        return true;
    }
    [[nodiscard]] std::string_view line() const { return line_; }
    [[nodiscard]] std::size_t number() const { return number_; }

private:
    std::string_view rest_;
    std::string_view line_{};
    std::size_t number_ = 0;
};

// Without the blanks around it.
[[nodiscard]] inline std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

} // namespace broker::security
