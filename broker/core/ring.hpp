// ring: a double-ended queue in one allocation, and in none while it is empty: of most connections and sessions nothing waits most
// of the time.
#pragma once

#include "core/assert.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <utility>

namespace broker {

template <class T> // movable without exceptions
class ring {
    template <class Ring, class Value>
    class walker {
    public:
        using iterator_concept = std::random_access_iterator_tag;
        using iterator_category = std::random_access_iterator_tag;
        using value_type = T;
        using difference_type = std::ptrdiff_t;
        using pointer = Value*;
        using reference = Value&;

        walker() = default;
        walker(Ring* of, std::size_t at) : of_{of}, at_{at} {}
        operator walker<const Ring, const Value>() const { return {of_, at_}; }

        reference operator*() const { return (*of_)[at_]; }
        pointer operator->() const { return &(*of_)[at_]; }
        reference operator[](difference_type n) const { return *(*this + n); }
        walker& operator++() { return *this += 1; }
        walker operator++(int) { return std::exchange(*this, *this + 1); }
        walker& operator--() { return *this -= 1; }
        walker operator--(int) { return std::exchange(*this, *this - 1); }
        walker& operator+=(difference_type n) {
            at_ = static_cast<std::size_t>(static_cast<difference_type>(at_) + n);
            return *this;
        }
        walker& operator-=(difference_type n) { return *this += -n; }
        friend walker operator+(walker a, difference_type n) { return a += n; }
        friend walker operator+(difference_type n, walker a) { return a += n; }
        friend walker operator-(walker a, difference_type n) { return a -= n; }
        friend difference_type operator-(const walker& a, const walker& b) {
            return static_cast<difference_type>(a.at_) - static_cast<difference_type>(b.at_);
        }
        friend bool operator==(const walker& a, const walker& b) { return a.at_ == b.at_; }
        friend auto operator<=>(const walker& a, const walker& b) { return a.at_ <=> b.at_; }

    private:
        friend ring;
        Ring* of_ = nullptr;
        std::size_t at_ = 0;
    };

public:
    using value_type = T;
    using iterator = walker<ring, T>;
    using const_iterator = walker<const ring, const T>;

    ring() = default;
    ring(ring&& other) noexcept { swap(other); }
    ring& operator=(ring&& other) noexcept {
        if (this != &other) clear();
        swap(other);
        return *this;
    }
    ~ring() { clear(); }

    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] T& operator[](std::size_t i) { return cells_[place(i)]; }
    [[nodiscard]] const T& operator[](std::size_t i) const { return cells_[place(i)]; }
    [[nodiscard]] T& front() { return (*this)[0]; }
    [[nodiscard]] const T& front() const { return (*this)[0]; }
    [[nodiscard]] T& back() { return (*this)[size_ - 1]; }
    [[nodiscard]] const T& back() const { return (*this)[size_ - 1]; }
    [[nodiscard]] iterator begin() { return {this, 0}; }
    [[nodiscard]] iterator end() { return {this, size_}; }
    [[nodiscard]] const_iterator begin() const { return {this, 0}; }
    [[nodiscard]] const_iterator end() const { return {this, size_}; }

    void push_back(T value) {
        if (size_ == capacity_) grow();
        std::construct_at(&cells_[place(size_)], std::move(value));
        ++size_;
    }
    void push_front(T value) {
        if (size_ == capacity_) grow();
        first_ = (first_ + capacity_ - 1) & (capacity_ - 1);
        std::construct_at(&cells_[first_], std::move(value));
        ++size_;
    }
    // Before `at`. Moves what is behind it.
    void insert(const_iterator at, T value) {
        const auto i = static_cast<difference>(at - std::as_const(*this).begin());
        push_back(std::move(value));
        std::rotate(begin() + i, end() - 1, end());
    }
    void pop_front() {
        std::destroy_at(&front());
        first_ = (first_ + 1) & (capacity_ - 1);
        if (--size_ == 0) give_back();
    }
    // The last ones, from `from` on.
    void erase(const_iterator from, const_iterator to) {
        BROKER_DEBUG_ASSERT(to == std::as_const(*this).end());
        for (auto n = to - from; n != 0; --n) {
            std::destroy_at(&back());
            --size_;
        }
        if (size_ == 0) give_back();
    }
    void clear() { erase(std::as_const(*this).begin(), std::as_const(*this).end()); }

private:
    void swap(ring& other) noexcept {
        std::swap(cells_, other.cells_);
        std::swap(capacity_, other.capacity_);
        std::swap(first_, other.first_);
        std::swap(size_, other.size_);
    }

    using difference = std::ptrdiff_t;
    static constexpr std::uint32_t least = 4; // cells

    [[nodiscard]] std::size_t place(std::size_t i) const { return (first_ + i) & (capacity_ - 1); }
    void grow() {
        const auto capacity = std::max<std::uint32_t>(least, capacity_ * 2);
        auto* const cells = std::allocator<T>{}.allocate(capacity);
        for (std::size_t i = 0; i != size_; ++i) {
            std::construct_at(&cells[i], std::move((*this)[i]));
            std::destroy_at(&(*this)[i]);
        }
        give_back();
        cells_ = cells;
        capacity_ = capacity;
    }
    void give_back() {
        if (cells_ != nullptr) std::allocator<T>{}.deallocate(cells_, capacity_);
        cells_ = nullptr;
        capacity_ = 0;
        first_ = 0;
    }

    T* cells_ = nullptr;
    std::uint32_t capacity_ = 0; // a power of two, or nothing
    std::uint32_t first_ = 0;
    std::uint32_t size_ = 0;
};

} // namespace broker
