#include "routing/temporary_names.hpp"

#include "core/topic.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include <bit>

namespace broker {

static_assert(std::tuple_size_v<temporary_names::secret> == crypto_shorthash_KEYBYTES);

temporary_names temporary_names::random() {
    secret key;
    randombytes_buf(key.data(), key.size());
    return temporary_names{key};
}

std::string temporary_names::topic(session_id owner, std::string_view name) const {
    const auto id = std::bit_cast<std::array<unsigned char, sizeof(std::uint64_t)>>(owner.value());
    std::array<unsigned char, crypto_shorthash_BYTES> code{};
    crypto_shorthash(code.data(), id.data(), id.size(), key_.data());
    return fmt::format("{}{}-{:02x}/{}", temporary_prefix, owner.value(), fmt::join(code, ""), name);
}

} // namespace broker
