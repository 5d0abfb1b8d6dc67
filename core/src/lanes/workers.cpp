// SPDX-License-Identifier: MIT
#include "lanes/workers.h"

#include "lanes/flush_denormals.h"

#include <algorithm>
#include <system_error>

namespace serpent {
namespace {

constexpr int most_threads = 1024;

} // namespace

Workers::Workers(int threads) {
    if (threads < 1) threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    threads_.reserve(static_cast<std::size_t>(std::min(threads, most_threads) - 1));
    try {
        for (int i = 1; i < std::min(threads, most_threads); ++i) threads_.emplace_back([this, i] { serve(i); });
    } catch (const std::exception&) {  // of the system, or of memory; nothing may leave here, where threads run already
        // the system gives no more: those that started do the work, with the same result
    }
}

Workers::~Workers() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    start_.notify_all();
    for (std::thread& t : threads_) t.join();
}

void Workers::call(int index) noexcept {
    try {
        const FlushDenormals flush;
        (*work_)(index);
    } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
    }
}

void Workers::serve(int index) {
    std::uint64_t seen = 0;
    for (;;) {
        {
            std::unique_lock lock(mutex_);
            start_.wait(lock, [&] { return stop_ || round_ != seen; });
            if (stop_) return;
            seen = round_;
        }
        call(index);
        const std::lock_guard lock(mutex_);
        if (--running_ == 0) done_.notify_one();
    }
}

void Workers::run(const std::function<void(int)>& work) {
    {
        const std::lock_guard lock(mutex_);
        work_ = &work;
        error_ = nullptr;
        running_ = static_cast<int>(threads_.size());
        ++round_;
    }
    start_.notify_all();
    call(0);
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return running_ == 0; });
    if (error_) std::rethrow_exception(error_);
}

} // namespace serpent
