// SPDX-License-Identifier: GPL-3.0-or-later
#include "command/run_command.h"

#include "audio/temporary_folder.h"

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr uid_t nobody = 65534;

std::string text_of(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// In the child; leaves with 127 when something cannot be set up.
[[noreturn]] void become(std::vector<char*> arguments, int out, int err, const CommandLimits& limits) {
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    if (limits.file_size_bytes) {
        const rlimit limit{*limits.file_size_bytes, *limits.file_size_bytes};
        if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(127);
    }
    const bool nobody_wanted = limits.unprivileged || (limits.processes && ::geteuid() == 0);
    if (nobody_wanted && (::setgid(nobody) != 0 || ::setuid(nobody) != 0)) ::_exit(127);
    if (limits.processes) {
        const rlimit limit{*limits.processes, *limits.processes};
        if (::setrlimit(RLIMIT_NPROC, &limit) != 0) ::_exit(127);
    }
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
}

} // namespace

CommandResult run_command(const std::vector<std::string>& arguments, const CommandLimits& limits) {
    const TemporaryFolder folder;
    std::vector<std::string> words{SERPENT_COMMAND};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    const int out = ::open((folder / "out").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    const int err = ::open((folder / "err").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    const pid_t child = ::fork();
    if (child == 0) become(pointers, out, err, limits);
    ::close(out);
    ::close(err);
    if (child < 0) return {};
    if (limits.interrupt_after_s) {
        std::this_thread::sleep_for(std::chrono::duration<double>(*limits.interrupt_after_s));
        ::kill(child, SIGINT);
    }
    int status = 0;
    rusage usage{};
    ::wait4(child, &status, 0, &usage);
    CommandResult result;
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    result.out = text_of(folder / "out");
    result.err = text_of(folder / "err");
    result.peak_memory_bytes = std::int64_t{usage.ru_maxrss} * 1024;
    return result;
}
