#include "core/message.hpp"

#include "core/assert.hpp"

#include <cstring>
#include <limits>
#include <new>

namespace broker {

message_ptr make_message(const message_fields& f) {
    BROKER_ASSERT(f.topic.size() <= 0xFFFF);
    BROKER_ASSERT(f.payload.size() <= std::numeric_limits<std::uint32_t>::max());
    BROKER_ASSERT(f.properties.size() <= std::numeric_limits<std::uint32_t>::max());
    void* const memory = ::operator new(sizeof(message) + f.topic.size() + f.properties.size() + f.payload.size());
    auto* const made = new (memory) message;
    made->id_ = f.id;
    made->publisher_ = f.publisher;
    made->received_at_ = f.received_at;
    made->expires_at_ = f.expires_at;
    made->topic_size_ = static_cast<std::uint16_t>(f.topic.size());
    made->properties_size_ = static_cast<std::uint32_t>(f.properties.size());
    made->payload_size_ = static_cast<std::uint32_t>(f.payload.size());
    made->level_ = f.level;
    made->retain_ = f.retain;
    made->persistent_ = f.persistent;
    char* to = reinterpret_cast<char*>(made + 1);
    const auto copy = [&to](const void* from, std::size_t size) {
        if (size != 0) std::memcpy(to, from, size);
        to += size;
    };
    copy(f.topic.data(), f.topic.size());
    copy(f.properties.data(), f.properties.size());
    copy(f.payload.data(), f.payload.size());
    return message_ptr{made};
}

message_fields message::fields() const {
    return {.id = id_,
            .topic = topic(),
            .properties = properties(),
            .payload = payload(),
            .level = level_,
            .retain = retain_,
            .persistent = persistent_,
            .publisher = publisher_,
            .received_at = received_at_,
            .expires_at = expires_at_};
}

std::size_t message::footprint() const { return sizeof(message) + topic_size_ + properties_size_ + payload_size_; }

void message::drop_reference() const {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    this->~message();
    ::operator delete(const_cast<message*>(this));
}

} // namespace broker
