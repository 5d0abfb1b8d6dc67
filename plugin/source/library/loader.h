// SPDX-License-Identifier: GPL-3.0-or-later
// One background thread per plugin instance, which runs what takes time: reading, checking and preparing files.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace serpent::plugin {

/// Runs jobs in order, and `tick` every 50 ms. The destructor waits for what runs and drops the rest. Where the system has no
/// thread to give, nothing runs until start() gets one.
class Loader {
public:
    using Job = std::function<void()>;

    explicit Loader(Job tick);
    ~Loader();
    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;

    /// Whether there is a thread: the constructor has tried already.
    bool start();
    /// Jobs and `tick` must not throw.
    void run(Job job);
    bool idle() const;

private:
    void work();

    const Job tick_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Job> jobs_;
    bool busy_ = false, stop_ = false;
    std::thread thread_;
};

} // namespace serpent::plugin
