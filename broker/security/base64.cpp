#include "security/base64.hpp"

#include <sodium.h>

namespace broker::security {

std::optional<std::string> from_base64(std::string_view text) {
    std::string made(text.size(), '\0');
    std::size_t size = 0;
    const char* end = nullptr;
    if (sodium_base642bin(reinterpret_cast<unsigned char*>(made.data()), made.size(), text.data(), text.size(), nullptr, &size, &end,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        end != text.data() + text.size()) {
        return std::nullopt;
    }
    made.resize(size);
    return made;
}

} // namespace broker::security
