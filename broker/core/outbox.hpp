// outbox: what a connection still has to send, bounded, drained by one gathered write per turn.
// Small packets are copied into blocks of the shard's pool, so an idle connection holds none; large payloads are
// referenced where they are. When the connection is framed, every packet gets its frame header in front.
#pragma once

#include "core/bytes.hpp"
#include "core/message.hpp"

#include <boost/container/small_vector.hpp>

#include <memory>
#include <utility>
#include <vector>

namespace broker {

// Reusable blocks of one shard. Keeps at most `spare_max` unused ones, and of these what it needed lately.
class block_pool {
public:
    static constexpr std::size_t block_size = 8 * 1024;
    using block = std::unique_ptr<std::uint8_t[]>;

    explicit block_pool(std::size_t spare_max = 1024) : spare_max_{spare_max} {}
    [[nodiscard]] block take();
    void give_back(block b);
    [[nodiscard]] std::size_t spare() const { return spare_.size(); }
    void trim(); // frees what was not needed since the last call

private:
    std::vector<block> spare_;
    std::size_t spare_max_;
    std::size_t least_spare_ = 0; // since trim()
};

// Told once per turn that there is something to do: output, or a state to look at (outbox::touch).
class outbox_listener {
public:
    virtual ~outbox_listener() = default;
    virtual void on_output() = 0;
};

// RFC 6455 §5.2 opcodes, of compressed messages with RSV1 (RFC 7692 §6)
enum class frame_kind : std::uint8_t { text = 0x1, binary = 0x2, compressed_text = 0x41, compressed_binary = 0x42 };

class outbox;

// Makes the packets of one connection smaller on their way into its outbox.
class packet_compressor {
public:
    explicit packet_compressor(std::size_t size_min) : size_min_{size_min} {}
    virtual ~packet_compressor() = default;
    // Appends head + the message's payload + tail as one frame. False: that would not be smaller, nothing was appended.
    virtual bool append(outbox& to, byte_view head, const message_ptr& owner, byte_view tail, frame_kind kind) = 0;
    [[nodiscard]] std::size_t size_min() const { return size_min_; } // smaller packets are not worth it

private:
    std::size_t size_min_;
};

class outbox {
public:
    // Writes the header of a frame around `payload_size` bytes to `to` (room for 16) and returns its size.
    using frame_header = std::size_t (*)(std::uint8_t* to, frame_kind kind, std::size_t payload_size);

    // `bytes_max` is the point where over_limit() becomes true; appending beyond it still works.
    outbox(block_pool& pool, std::size_t bytes_max) : pool_{pool}, bytes_max_{bytes_max} {}
    outbox(const outbox&) = delete;
    outbox& operator=(const outbox&) = delete;
    ~outbox() { clear(); }

    void tell(outbox_listener* listener) { listener_ = listener; }

    // From now on every packet is one frame. Null: no frames.
    void frame_with(frame_header header) { header_ = header; }

    // From now on packets that are large enough go through it, if they come as head, payload and tail. It must
    // be there as long as packets are appended.
    void compress_with(packet_compressor* c) { compressor_ = c; }

    // --- the engine's side: one call is one protocol packet ---

    void append(byte_view packet, frame_kind kind = frame_kind::binary);

    // Room for a packet of exactly `size` bytes, contiguous, which the caller fills before the next call.
    [[nodiscard]] std::uint8_t* append(std::size_t size, frame_kind kind = frame_kind::binary);

    // head + the message's payload + tail as one packet. The payload is copied when small, referenced when large.
    void append(byte_view head, const message_ptr& owner, byte_view tail, frame_kind kind = frame_kind::binary);

    // Would this packet be compressed, if it came as head, payload and tail?
    [[nodiscard]] bool compresses(std::size_t packet_size) const { return compressor_ != nullptr && packet_size >= compressor_->size_min(); }

    // The same as it is, without asking the compressor.
    void append_as_is(byte_view head, const message_ptr& owner, byte_view tail, frame_kind kind);

    // The engine's state changed without output (closing without a goodbye, a claim answered).
    void touch() {
        if (touched_ || listener_ == nullptr) return;
        touched_ = true;
        listener_->on_output();
    }

    // --- the transport's side ---

    void end_turn() { touched_ = false; } // the listener wants to be told again
    [[nodiscard]] std::uint32_t take_packets() { return std::exchange(packets_, 0); } // appended since the last call

    void append_raw(byte_view bytes); // no frame header: handshake answers, control frames

    // Fills `views` from the front of the queue; returns how many were filled.
    std::size_t gather(std::span<byte_view> views) const;
    void consume(std::size_t size); // size <= bytes()
    void clear();

    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    [[nodiscard]] bool empty() const { return bytes_ == 0; }
    [[nodiscard]] bool over_limit() const { return bytes_ > bytes_max_; }
    [[nodiscard]] bool half_full() const { return bytes_ > bytes_max_ / 2; }
    [[nodiscard]] std::size_t bytes_max() const { return bytes_max_; }

private:
    struct segment {
        block_pool::block own; // from the pool when capacity == block_size
        message_ptr owner;     // or the message the bytes belong to
        const std::uint8_t* data = nullptr;
        std::uint32_t size = 0; // no packet is larger
        std::uint32_t capacity = 0;
    };

    std::uint8_t* room(std::size_t size);
    void release(segment& s);

    block_pool& pool_;
    outbox_listener* listener_ = nullptr;
    frame_header header_ = nullptr;
    packet_compressor* compressor_ = nullptr;
    boost::container::small_vector<segment, 1> segments_;
    std::size_t bytes_ = 0;
    std::size_t bytes_max_;
    std::uint32_t first_ = 0; // segments before it are sent
    std::uint32_t packets_ = 0;
    bool touched_ = false;
};

} // namespace broker
