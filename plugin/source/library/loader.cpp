// SPDX-License-Identifier: GPL-3.0-or-later
#include "library/loader.h"

#include <chrono>
#include <system_error>
#include <utility>

namespace serpent::plugin {

namespace {

constexpr auto tick_time = std::chrono::milliseconds(50);

} // namespace

Loader::Loader(Job tick) : tick_(std::move(tick)) { start(); }

Loader::~Loader() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
        jobs_.clear();
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

bool Loader::start() {
    const std::lock_guard lock(mutex_);
    if (thread_.joinable()) return true;
    try {
        thread_ = std::thread([this] { work(); });
    } catch (const std::system_error&) {
        return false;
    }
    return true;
}

void Loader::run(Job job) {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    changed_.notify_all();
}

bool Loader::idle() const {
    const std::lock_guard lock(mutex_);
    return jobs_.empty() && !busy_;
}

void Loader::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        const bool asked = changed_.wait_for(lock, tick_time, [this] { return stop_ || !jobs_.empty(); });
        if (stop_) return;
        if (!asked) {
            lock.unlock();
            tick_();
            lock.lock();
            continue;
        }
        const Job job = std::move(jobs_.front());
        jobs_.pop_front();
        busy_ = true;
        lock.unlock();
        job();
        lock.lock();
        busy_ = false;
    }
}

} // namespace serpent::plugin
