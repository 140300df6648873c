#include "cli/text_file.hpp"

#include "security/text_lines.hpp"

#include <fmt/format.h>

#include <fstream>
#include <iostream>

#include <sys/stat.h>

namespace broker::cli {

std::string read_text(const std::filesystem::path& file) {
    constexpr std::size_t most = 1024 * 1024;
    std::ifstream opened;
    if (file != "-") {
        opened.open(file, std::ios::binary);
        if (!opened || std::filesystem::is_directory(file)) throw std::runtime_error{fmt::format("{}: cannot be read", file.string())};
    }
    auto& in = file == "-" ? std::cin : opened;
    std::string text(most + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > most) throw std::runtime_error{fmt::format("{}: over {} bytes", file.string(), most)};
    return text;
}

std::string secret_in(const std::filesystem::path& file) {
    warn_if_others_read(file);
    const auto text = read_text(file);
    return std::string{security::trimmed(std::string_view{text}.substr(0, text.find_first_of("\r\n")))};
}

void warn_if_others_read(const std::filesystem::path& file) {
    struct stat found{};
    if (file == "-" || ::stat(file.c_str(), &found) != 0 || (found.st_mode & (S_IRGRP | S_IROTH)) == 0) return;
    fmt::print(stderr, "brokerctl: {}: others can read this key; chmod 600 it\n", file.string());
}

} // namespace broker::cli
