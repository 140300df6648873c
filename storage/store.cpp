#include "storage/store.hpp"

#include "storage/keys.hpp"

#include <cstring>

namespace broker::storage {

std::string_view name(column c) {
    switch (c) {
    case column::meta: return "meta";
    case column::sessions: return "sessions";
    case column::subscriptions: return "subscriptions";
    case column::messages: return "messages";
    case column::entries: return "entries";
    case column::inbound_qos2: return "inbound_qos2";
    case column::outbound_qos2: return "outbound_qos2";
    case column::retained: return "retained";
    case column::queues: return "queues";
    case column::wills: return "wills";
    case column::queue_entries: return "queue_entries";
    }
    return "";
}

namespace {

// Beside the kind.
constexpr std::uint8_t is_new_bit = 0x80;
constexpr std::uint8_t is_answer_bit = 0x40;
constexpr std::uint8_t dropped_bit = 0x20;
constexpr std::uint8_t kind_bits = 0x1F;

std::uint8_t code(batch::operation::kind what, unsigned bits = 0) {
    return static_cast<std::uint8_t>(static_cast<unsigned>(what) | bits);
}

} // namespace

// One operation in the buffer: kind, column, key size, value size (native 32 bits), key, value.
void batch::record(std::uint8_t kind, column c, std::string_view key, std::string_view value) {
    char head[10];
    const auto key_size = static_cast<std::uint32_t>(key.size());
    const auto value_size = static_cast<std::uint32_t>(value.size());
    head[0] = static_cast<char>(kind);
    head[1] = static_cast<char>(c);
    std::memcpy(head + 2, &key_size, 4);
    std::memcpy(head + 6, &value_size, 4);
    data_.append(head, sizeof head).append(key).append(value);
    ++operations_;
}

void batch::put(column c, std::string_view key, std::string_view value) {
    record(code(operation::kind::put), c, key, value);
}
void batch::put_new(column c, std::string_view key, std::string_view value) {
    record(code(operation::kind::put, is_new_bit), c, key, value);
}
void batch::erase(column c, std::string_view key) { record(code(operation::kind::erase), c, key, {}); }
void batch::erase_answered(column c, std::string_view key) { record(code(operation::kind::erase, is_answer_bit), c, key, {}); }
void batch::erase_prefix(column c, std::string_view prefix) { record(code(operation::kind::erase_prefix), c, prefix, {}); }

void batch::drop(std::size_t at) {
    data_[at] = static_cast<char>(static_cast<std::uint8_t>(data_[at]) | dropped_bit);
    ++dropped_;
}

void batch::append(const batch& other) {
    data_ += other.data_;
    operations_ += other.operations_;
    dropped_ += other.dropped_;
    require(other.required_);
}

void batch::clear() {
    data_.clear();
    operations_ = dropped_ = 0;
    required_ = durability::none;
}

void batch::require(durability level) { required_ = std::max(required_, level); }

void batch::for_each(const visitor& visit) const {
    const char* at = data_.data();
    const char* const end = at + data_.size();
    while (at != end) {
        std::uint32_t key_size = 0;
        std::uint32_t value_size = 0;
        std::memcpy(&key_size, at + 2, 4);
        std::memcpy(&value_size, at + 6, 4);
        const auto bits = static_cast<std::uint8_t>(at[0]);
        if ((bits & dropped_bit) == 0) {
            visit({.what = static_cast<operation::kind>(bits & kind_bits),
                   .in = static_cast<column>(at[1]),
                   .key = {at + 10, key_size},
                   .value = {at + 10 + key_size, value_size},
                   .is_new = (bits & is_new_bit) != 0,
                   .is_answer = (bits & is_answer_bit) != 0,
                   .at = static_cast<std::size_t>(at - data_.data())});
        }
        at += 10 + key_size + value_size;
    }
}

result<void, storage_error> backend::scan_owners(column c, const row_visitor& visit) const {
    std::string last;
    return scan(c, "", "", [&](std::string_view key, std::string_view value) {
        const auto owner = key.substr(0, owner_size);
        if (owner == last) return true;
        last = owner;
        return visit(key, value);
    });
}

} // namespace broker::storage
