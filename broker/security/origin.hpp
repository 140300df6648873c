// origin: which pages may open a WebSocket (RFC 6455 §10.2, RFC 6454). Browsers send Origin and nothing can make them lie;
// other programs need not send it, so it protects people behind browsers and nobody else.
//
//   https://app.example.com     exactly this origin; a default port may be written or left out
//   https://*.example.com       any name below example.com, not itself
//   same-origin                 the host and port the request was sent to, by either scheme: TLS may end at a proxy
//   *                           every page
#pragma once

#include "core/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace broker::security {

class allowed_origins {
public:
    // Error: the entry and what is wrong with it. An empty list is {"same-origin"}.
    [[nodiscard]] static result<allowed_origins, std::string> make(const std::vector<std::string>& entries, bool allow_missing = true);

    // `origin`: the header's value, nothing if there is none. `host`: that of the Host header. "null" (a sandboxed or local page) only by '*'.
    [[nodiscard]] bool allows(std::optional<std::string_view> origin, std::string_view host) const;

    // '*': any page can come in, so a cookie must not be taken as a credential.
    [[nodiscard]] bool any() const { return any_; }

private:
    struct place {
        std::string scheme{};
        std::string host{}; // in lower case; below "*.": with its leading dot
        std::uint16_t port = 0;
        bool below = false;
    };
    [[nodiscard]] static std::optional<place> parse(std::string_view text);

    std::vector<place> places_;
    bool same_ = false;
    bool any_ = false;
    bool missing_ = true;
};

} // namespace broker::security
