// temporary_names: what everybody calls a temporary queue: "$temp/ID-CODE/NAME". Whoever may publish at all may send to it, so its name is
// given to those it wants answers from, and nobody can guess it: CODE is 64 bits of SipHash over the session's id, by a key of this process.
// Threading: any.
#pragma once

#include "core/ids.hpp"

#include <array>
#include <string>
#include <string_view>

namespace broker {

class temporary_names {
public:
    using secret = std::array<std::uint8_t, 16>;

    explicit temporary_names(const secret& key) : key_{key} {}
    [[nodiscard]] static temporary_names random();

    // The same for the session's life, and never again: ids do not repeat.
    [[nodiscard]] std::string topic(session_id owner, std::string_view name) const;

private:
    secret key_;
};

} // namespace broker
