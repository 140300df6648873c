// text_file: files that commands read whole.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>

namespace broker::cli {

// "-" is standard input. Throws std::runtime_error, one line: it cannot be read, or is over a megabyte.
[[nodiscard]] std::string read_text(const std::filesystem::path& file);

// Its first line without spaces around it. Warns as below.
[[nodiscard]] std::string secret_in(const std::filesystem::path& file);

// Says so on standard error when others than its owner may read it.
void warn_if_others_read(const std::filesystem::path& file);

} // namespace broker::cli
