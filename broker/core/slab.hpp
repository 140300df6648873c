// slab: values found by number, kept in pieces so that they do not move and growing copies nothing. Numbers are given out again.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace broker {

template <class T> // movable; T{} holds nothing
class slab {
public:
    using number = std::uint32_t;

    [[nodiscard]] number add(T value) {
        number at = 0;
        if (!free_.empty()) {
            at = free_.back();
            free_.pop_back();
        } else {
            at = static_cast<number>(size_++);
            if (at / piece_size == pieces_.size()) pieces_.push_back(std::make_unique<piece>());
        }
        (*this)[at] = std::move(value);
        return at;
    }
    void erase(number at) {
        (*this)[at] = T{};
        free_.push_back(at);
    }
    [[nodiscard]] T& operator[](number at) { return (*pieces_[at / piece_size])[at % piece_size]; }
    [[nodiscard]] const T& operator[](number at) const { return (*pieces_[at / piece_size])[at % piece_size]; }

private:
    static constexpr std::size_t piece_size = 256;
    using piece = std::array<T, piece_size>;

    std::vector<std::unique_ptr<piece>> pieces_;
    std::size_t size_ = 0; // numbers that were ever given out
    std::vector<number> free_;
};

} // namespace broker
