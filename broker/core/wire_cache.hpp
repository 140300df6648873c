// wire_cache: what engines of one shard encoded last, one message per wire form, so that the next receiver of the same
// message copies bytes instead of formatting them again. Forms are numbered by their protocol.
#pragma once

#include "core/message.hpp"

#include <array>
#include <string>

namespace broker {

class wire_cache {
public:
    static constexpr std::size_t forms = 6;

    struct entry {
        message_ptr of{};        // held, so that its address names it
        std::string bytes{};     // the part all receivers share
        bool is_text = false;    // the whole packet is UTF-8
        std::size_t altered = 0; // headers this form cannot express as they are
    };

    [[nodiscard]] entry& at(std::size_t form) { return entries_[form]; }

    // For whoever puts something together and is done with it before he returns.
    [[nodiscard]] std::string& scratch() { return scratch_; }

private:
    std::string scratch_;
    std::array<entry, forms> entries_;
};

} // namespace broker
