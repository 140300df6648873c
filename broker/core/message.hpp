// message: one publication, immutable once routed, in one allocation, shared by every receiver on every shard.
#pragma once

#include "core/bytes.hpp"
#include "core/ids.hpp"
#include "core/ref.hpp"
#include "core/time.hpp"

#include <atomic>

namespace broker {

enum class qos : std::uint8_t { at_most_once = 0, at_least_once = 1, exactly_once = 2 };

class message;
using message_ptr = ref<message>;

// What a message is made of. The views are copied by make_message().
struct message_fields {
    message_id id{};                        // zero: the router assigns the next one
    std::string_view topic{};               // a valid topic name, never empty
    byte_view properties{};                 // core/properties.hpp
    byte_view payload{};
    qos level = qos::at_most_once;        // as published
    bool retain = false;                  // as published
    bool persistent = true;               // false: the publisher asks for durability "async" for this message
    session_id publisher{};                 // for no-local; zero when unknown
    time_point received_at{};
    time_point expires_at = never;
};

class message {
public:
    [[nodiscard]] message_id id() const { return id_; }
    [[nodiscard]] std::string_view topic() const { return {bytes(), topic_size_}; }
    [[nodiscard]] byte_view properties() const { return as_bytes({bytes() + topic_size_, properties_size_}); }
    [[nodiscard]] byte_view payload() const {
        return as_bytes({bytes() + topic_size_ + properties_size_, payload_size_});
    }
    [[nodiscard]] qos level() const { return level_; }
    [[nodiscard]] bool retain() const { return retain_; }
    [[nodiscard]] bool persistent() const { return persistent_; }
    [[nodiscard]] session_id publisher() const { return publisher_; }
    [[nodiscard]] time_point received_at() const { return received_at_; }
    [[nodiscard]] time_point expires_at() const { return expires_at_; }
    [[nodiscard]] bool expired(time_point now) const { return expires_at_ <= now; }
    [[nodiscard]] message_fields fields() const;

    // Bytes of memory this message holds.
    [[nodiscard]] std::size_t footprint() const;

    // Once, by the router, before anybody else sees the message.
    void assign_id(message_id id) { id_ = id; }

    // How many store entries refer to this message's shared record while the process lives. Set by the router before
    // the first entry is handed on; whoever drops the last one erases the record.
    void set_stored_entries(std::uint32_t n) const { stored_entries_.store(n, std::memory_order_relaxed); }
    [[nodiscard]] bool drop_stored_entry() const { // true: that was the last
        return stored_entries_.fetch_sub(1, std::memory_order_acq_rel) == 1;
    }

    void add_reference() const { references_.fetch_add(1, std::memory_order_relaxed); }
    void drop_reference() const;

private:
    friend message_ptr make_message(const message_fields&);
    message() = default;
    ~message() = default;
    [[nodiscard]] const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }

    mutable std::atomic<std::uint32_t> references_{1};
    mutable std::atomic<std::uint32_t> stored_entries_{0};
    message_id id_;
    session_id publisher_;
    time_point received_at_{};
    time_point expires_at_ = never;
    std::uint32_t properties_size_ = 0;
    std::uint32_t payload_size_ = 0;
    std::uint16_t topic_size_ = 0;
    qos level_{};
    bool retain_ = false;
    bool persistent_ = true;
};

// Copies the fields into one allocation. The topic is at most 65,535 bytes, the payload below 4 GiB.
[[nodiscard]] message_ptr make_message(const message_fields& fields);

} // namespace broker
