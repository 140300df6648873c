// One connection's compression, both ways, once permessage-deflate is agreed on (RFC 7692).
#pragma once

#include "core/compression.hpp"
#include "core/outbox.hpp"
#include "protocols/websocket/deflate.hpp"
#include "protocols/websocket/deflate_offer.hpp"
#include "protocols/websocket/inflate.hpp"

#include <memory>
#include <string>

namespace broker::websocket {

// What all connections of a shard compress with.
struct deflate_shop {
    inflate_pool inflate{};
    payload_deflater payloads{};
    std::string head{}; // scratch
    std::string tail{};

    [[nodiscard]] compression_traffic& traffic() { return inflate.traffic(); }
};

class deflate_channel final : public packet_compressor {
public:
    // The shop outlives it.
    deflate_channel(deflate_shop& shop, const deflate_agreement& agreed, const compression_settings& set)
        : packet_compressor{set.min_size}, shop_{shop}, input_{shop.inflate, agreed.client_keeps_context, agreed.client_window_bits},
          window_bits_{agreed.server_window_bits}, keeps_context_{agreed.server_keeps_context} {}

    bool append(outbox& to, byte_view head, const message_ptr& owner, byte_view tail, frame_kind kind) override;

    [[nodiscard]] inflater& input() { return input_; }

    // Received and not decoded yet, because what it inflates to could not be taken: decoder::feed().
    void keep(byte_view rest);
    [[nodiscard]] bool has_kept() const { return kept_ != nullptr; }
    [[nodiscard]] std::string take_kept();

private:
    deflate_shop& shop_;
    inflater input_;
    std::unique_ptr<context_deflater> context_{}; // from the first compressed message on, if it keeps it
    std::unique_ptr<std::string> kept_{};
    std::uint8_t window_bits_;
    bool keeps_context_;
};

} // namespace broker::websocket
