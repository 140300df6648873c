// Three lines: an entry of the list, an Origin, a Host. What is allowed names the host, or what the entry says.
#include "core/assert.hpp"
#include "core/bytes.hpp"
#include "security/origin.hpp"
#include "security/text_lines.hpp"

#include <algorithm>

using namespace broker;
using namespace broker::security;

namespace {

bool contains_without_case(std::string_view text, std::string_view part) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return !std::ranges::search(text, part, {}, lower, lower).empty() || part.empty();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    text_lines lines{as_text({data, size})};
    const auto next = [&] { return lines.next() ? lines.line() : std::string_view{}; };
    const std::string entry{next()};
    const auto origin = next();
    const auto host = next();
    if ((*allowed_origins::make({})).allows(origin, host)) {
        BROKER_ASSERT(origin.contains("://") && contains_without_case(origin, host.substr(0, host.rfind(':') == std::string_view::npos ? host.size() : host.rfind(':'))));
    }
    const auto listed = allowed_origins::make({entry});
    if (!listed || listed->any() || entry == "same-origin") return 0;
    if (listed->allows(origin, host)) {
        const auto star = entry.find("*.");
        const auto name = star == std::string::npos ? std::string_view{entry}.substr(entry.find("://") + 3) : std::string_view{entry}.substr(star + 1);
        BROKER_ASSERT(contains_without_case(origin, name.substr(0, name.rfind(':') == std::string_view::npos ? name.size() : name.rfind(':'))));
    }
    return 0;
}
