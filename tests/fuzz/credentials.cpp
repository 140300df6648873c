// A request line's target and headers, arbitrary. What is refused is not repeated in the reason; what is found was there; a
// log's target has no token.
#include "core/assert.hpp"
#include "core/bytes.hpp"
#include "security/credentials.hpp"
#include "security/text_lines.hpp"

#include <vector>

using namespace broker;
using namespace broker::security;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = as_text({data, size});
    text_lines lines{input};
    const auto target = lines.next() ? lines.line() : std::string_view{};
    std::vector<header_line> headers;
    while (lines.next()) {
        const auto colon = lines.line().find(':');
        if (colon != std::string_view::npos) headers.push_back({.name = lines.line().substr(0, colon), .value = lines.line().substr(colon + 1)});
    }
    const auto found = credentials_in(target, headers, {.cookie = "bt"});
    if (!found) {
        BROKER_ASSERT(!found.error().empty() && found.error().size() < 120);
    } else if (!found->token.empty()) {
        BROKER_ASSERT(found->user.empty() && !found->password && (input.contains(found->token) || target.contains('%')));
    } else if (!found->none()) {
        BROKER_ASSERT(found->password && !found->user.contains(':'));
    }
    const auto shown = redacted(target, "access_token");
    BROKER_ASSERT(redacted(shown, "access_token") == shown);
    if (found && !found->token.empty() && credentials_in(target, {}, {})->token == found->token) {
        BROKER_ASSERT(credentials_in(shown, {}, {})->token == "REDACTED"); // it was in the query
    }
    return 0;
}
