// The first byte: headers of a request, or the front of a connection. Whoever is no proxy is believed nothing; a header that was read whole is
// read the same from the bytes it took, and not from fewer.
#include "core/assert.hpp"
#include "security/forwarded.hpp"
#include "security/text_lines.hpp"

using namespace broker;
using namespace broker::security;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const byte_view input{data + 1, size - 1};
    if (data[0] % 2 == 0) {
        std::vector<header_line> headers;
        for (text_lines lines{as_text(input)}; lines.next();) {
            const auto colon = lines.line().find(':');
            if (colon != std::string_view::npos) headers.push_back({.name = lines.line().substr(0, colon), .value = lines.line().substr(colon + 1)});
        }
        static const proxy_trust trusted{.trusted = *networks::parse({"10.0.0.0/8", "::1"}), .headers = {"forwarded", "x-forwarded-for"}};
        const auto proxy = *ip_address::parse("10.0.0.1");
        const auto stranger = *ip_address::parse("192.0.2.9");
        BROKER_ASSERT(client_address(stranger, headers, trusted) == stranger);
        const auto found = client_address(proxy, headers, trusted);
        BROKER_ASSERT(ip_address::parse(found.text()) == found);
        return 0;
    }
    const auto outcome = read_proxy_header(input);
    if (const auto* const h = std::get_if<proxy_header>(&outcome)) {
        BROKER_ASSERT(h->size <= input.size() && h->size <= proxy_header_bytes_max);
        const auto again = read_proxy_header(input.first(h->size));
        BROKER_ASSERT(std::holds_alternative<proxy_header>(again) && std::get<proxy_header>(again).source == h->source);
        BROKER_ASSERT(std::holds_alternative<more_bytes_needed>(read_proxy_header(input.first(h->size - 1))));
    } else if (std::holds_alternative<more_bytes_needed>(outcome)) {
        BROKER_ASSERT(input.size() < proxy_header_bytes_max); // nobody waits for ever
    }
    return 0;
}
