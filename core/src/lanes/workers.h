// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace serpent {

/// A fixed team of threads, the caller being the first: run() calls work(i) on each and returns when all are done.
class Workers {
public:
    /// threads < 1: as many as the machine has cores. Fewer where the system starts no more, 1024 at most: count() says how many.
    explicit Workers(int threads);
    ~Workers();
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    int count() const noexcept { return static_cast<int>(threads_.size()) + 1; }

    /// Rethrows the first exception that `work` threw. Denormals are flushed in all of them.
    void run(const std::function<void(int)>& work);

private:
    void serve(int index);
    void call(int index) noexcept;

    std::mutex mutex_;
    std::condition_variable start_, done_;
    const std::function<void(int)>* work_ = nullptr;
    std::exception_ptr error_;
    std::uint64_t round_ = 0;
    int running_ = 0;
    bool stop_ = false;
    std::vector<std::thread> threads_;
};

} // namespace serpent
