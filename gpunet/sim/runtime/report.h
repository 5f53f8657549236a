// What went wrong in a launch. Every worker may add to it; each mistake is told once, not once for each thread.
#pragma once
#include <mutex>
#include <set>
#include <string>

namespace gpunet_sim {

class Report {
 public:
  void clear() {
    text_.clear();
    seen_.clear();
  }
  void add(const std::string& key, const std::string& message) {
    std::lock_guard<std::mutex> guard(mutex_);
    if (seen_.size() >= kMost || !seen_.insert(key).second) return;
    if (!text_.empty()) text_ += '\n';
    text_ += message;
  }
  bool empty() const { return seen_.empty(); }
  const std::string& text() const { return text_; }

 private:
  static constexpr size_t kMost = 16;
  std::mutex mutex_;
  std::set<std::string> seen_;
  std::string text_;
};

}  // namespace gpunet_sim
