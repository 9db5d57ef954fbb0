// InMemoryFileSystem: a FileSystem in memory, for tests of what lies above it. Held to the same
// conformance suite as PosixFileSystem; permissions are not checked (as for root).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/mutex.h"
#include "lib/base/strings.h"
#include "lib/fs/file_system.h"

namespace keyturn::testing {

// Holds an empty root "/" at first. THREAD: safe.
class InMemoryFileSystem final : public fs::FileSystem {
  struct Node;
  using NodePtr = std::shared_ptr<Node>;

 public:
  // An open descriptor of a reader: keeps write leases away while it lives.
  class Reader {
   public:
    ~Reader() {
      MutexLock lock(fs_.mutex_);
      --node_->open_count;
    }

    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    std::string Content() const {
      MutexLock lock(fs_.mutex_);
      return node_->data;
    }

   private:
    friend class InMemoryFileSystem;

    Reader(InMemoryFileSystem& fs, NodePtr node) : fs_(fs), node_(std::move(node)) {}

    InMemoryFileSystem& fs_;
    const NodePtr node_;
  };

  // Test controls.
  void set_memory_backed(bool value) { Set(memory_backed_, value); }

  void set_read_only(bool value) { Set(read_only_, value); }

  void set_umask(mode_t value) { Set(umask_, value); }

  // Bytes in all files; a write beyond it fails with ENOSPC after what fits.
  void set_capacity(size_t value) { Set(capacity_, value); }

  // Null when there is no such file. Must not outlive this object.
  std::unique_ptr<Reader> OpenForRead(const std::string& path) {
    MutexLock lock(mutex_);
    const Result<NodePtr> node = Resolve(path, true);
    if (!node.ok()) return nullptr;
    ++(*node)->open_count;
    return std::unique_ptr<Reader>(new Reader(*this, *node));
  }

  // The FileSystem interface.
  Result<fs::FileInfo> Stat(const std::string& path) override { return StatNode(path, false); }

  Result<fs::FileInfo> StatFollow(const std::string& path) override { return StatNode(path, true); }

  Result<std::vector<std::string>> List(const std::string& path) override {
    MutexLock lock(mutex_);
    KEYTURN_ASSIGN_OR_RETURN(const NodePtr node, Resolve(path, false));
    if (node->type != fs::FileType::kDirectory) return Error(ENOTDIR, "open", path);
    std::vector<std::string> names;
    for (const auto& [name, child] : node->children) names.push_back(name);
    return names;
  }

  Result<std::string> ReadLink(const std::string& path) override {
    MutexLock lock(mutex_);
    KEYTURN_ASSIGN_OR_RETURN(const NodePtr node, Resolve(path, false));
    if (node->type != fs::FileType::kSymlink) return Error(EINVAL, "readlink", path);
    return node->data;
  }

  Result<SecretBytes> ReadFile(const std::string& path, size_t max_size) override {
    MutexLock lock(mutex_);
    KEYTURN_ASSIGN_OR_RETURN(const NodePtr node, Resolve(path, true));
    if (node->type != fs::FileType::kRegular) {
      return FailedPreconditionError(StrCat("open ", path, ": not a regular file"));
    }
    if (node->data.size() > max_size) {
      return ResourceExhaustedError(StrCat("read ", path, ": larger than ", max_size, " bytes"));
    }
    return SecretBytes(node->data);
  }

  Status MakeDirectory(const std::string& path, mode_t mode) override {
    MutexLock lock(mutex_);
    const Result<NodePtr> node = Add(path, fs::FileType::kDirectory, mode & ~umask_, "mkdir");
    return node.status();
  }

  Result<std::unique_ptr<fs::File>> CreateFile(const std::string& path, mode_t mode) override {
    MutexLock lock(mutex_);
    KEYTURN_ASSIGN_OR_RETURN(NodePtr node,
                             Add(path, fs::FileType::kRegular, mode & ~umask_, "open"));
    return MakeFile(std::move(node), path);
  }

  Result<std::unique_ptr<fs::File>> OpenExisting(const std::string& path) override {
    MutexLock lock(mutex_);
    KEYTURN_ASSIGN_OR_RETURN(NodePtr node, Resolve(path, false));
    if (node->type == fs::FileType::kSymlink) return Error(ELOOP, "open", path);
    if (node->type == fs::FileType::kDirectory) return Error(EISDIR, "open", path);
    return MakeFile(std::move(node), path);
  }

  Status Chmod(const std::string& path, mode_t mode) override {
    MutexLock lock(mutex_);
    KEYTURN_ASSIGN_OR_RETURN(const NodePtr node, Resolve(path, false));
    if (node->type == fs::FileType::kSymlink) return Error(EOPNOTSUPP, "chmod", path);
    return ChmodNode(*node, mode, path);
  }

  Status Chown(const std::string& path, uid_t uid, gid_t gid) override {
    MutexLock lock(mutex_);
    KEYTURN_ASSIGN_OR_RETURN(const NodePtr node, Resolve(path, false));
    return ChownNode(*node, uid, gid, path);
  }

  Status Symlink(const std::string& target, const std::string& path) override {
    MutexLock lock(mutex_);
    KEYTURN_ASSIGN_OR_RETURN(const NodePtr node,
                             Add(path, fs::FileType::kSymlink, 0777, "symlink"));
    node->data = target;
    return OkStatus();
  }

  Status Rename(const std::string& from, const std::string& to) override {
    MutexLock lock(mutex_);
    KEYTURN_ASSIGN_OR_RETURN(const NodePtr moved, Resolve(from, false));
    KEYTURN_ASSIGN_OR_RETURN(const Place source, ResolvePlace(from));
    KEYTURN_ASSIGN_OR_RETURN(const Place target, ResolvePlace(to));
    if (read_only_) return Error(EROFS, "rename", to);
    const auto old = target.parent->children.find(target.name);
    if (old != target.parent->children.end()) {
      const bool from_directory = moved->type == fs::FileType::kDirectory;
      const bool to_directory = old->second->type == fs::FileType::kDirectory;
      if (to_directory && !from_directory) return Error(EISDIR, "rename", to);
      if (!to_directory && from_directory) return Error(ENOTDIR, "rename", to);
      if (to_directory && !old->second->children.empty()) return Error(ENOTEMPTY, "rename", to);
    }
    source.parent->children.erase(source.name);
    target.parent->children[target.name] = moved;
    Touch(*source.parent);
    Touch(*target.parent);
    Touch(*moved);
    return OkStatus();
  }

  Status Unlink(const std::string& path) override {
    MutexLock lock(mutex_);
    KEYTURN_ASSIGN_OR_RETURN(const NodePtr node, Resolve(path, false));
    if (node->type == fs::FileType::kDirectory) return Error(EISDIR, "unlink", path);
    return Remove(path, *node, "unlink");
  }

  Status RemoveDirectory(const std::string& path) override {
    MutexLock lock(mutex_);
    KEYTURN_ASSIGN_OR_RETURN(const NodePtr node, Resolve(path, false));
    if (node->type != fs::FileType::kDirectory) return Error(ENOTDIR, "rmdir", path);
    if (!node->children.empty()) return Error(ENOTEMPTY, "rmdir", path);
    return Remove(path, *node, "rmdir");
  }

  Result<bool> IsMemoryBacked(const std::string& path) override {
    MutexLock lock(mutex_);
    KEYTURN_ASSIGN_OR_RETURN(const NodePtr node, Resolve(path, true));
    return memory_backed_;
  }

  Result<std::unique_ptr<fs::FileLock>> TryLock(const std::string& path) override {
    MutexLock lock(mutex_);
    KEYTURN_ASSIGN_OR_RETURN(NodePtr node, Resolve(path, false));
    if (node->locked) return UnavailableError(StrCat("lock ", path, ": held by another"));
    node->locked = true;
    return std::unique_ptr<fs::FileLock>(std::make_unique<Lock>(*this, std::move(node)));
  }

 private:
  struct Node {
    fs::FileType type = fs::FileType::kRegular;
    mode_t mode = 0;
    uid_t uid = 0;
    gid_t gid = 0;
    uint64_t inode = 0;
    int64_t change_time = 0;
    std::string data;  // content, or the text of a link
    std::map<std::string, NodePtr> children;
    int open_count = 0;
    bool locked = false;
  };

  struct Place {
    NodePtr parent;
    std::string name;
  };

  class MemoryFile final : public fs::File {
   public:
    MemoryFile(InMemoryFileSystem& fs, NodePtr node, std::string path)
        : fs_(fs), node_(std::move(node)), path_(std::move(path)) {}

    ~MemoryFile() override {
      MutexLock lock(fs_.mutex_);
      --node_->open_count;
    }

    Status Write(std::string_view bytes) override {
      MutexLock lock(fs_.mutex_);
      if (fs_.read_only_) return Error(EROFS, "write", path_);
      const size_t room = fs_.capacity_ - fs_.UsedBytes(*fs_.root_);
      node_->data += bytes.substr(0, room);
      fs_.Touch(*node_);
      return bytes.size() > room ? Error(ENOSPC, "write", path_) : OkStatus();
    }

    Status Chmod(mode_t mode) override {
      MutexLock lock(fs_.mutex_);
      return fs_.ChmodNode(*node_, mode, path_);
    }

    Status Chown(uid_t uid, gid_t gid) override {
      MutexLock lock(fs_.mutex_);
      return fs_.ChownNode(*node_, uid, gid, path_);
    }

    Status TryWriteLease() override {
      MutexLock lock(fs_.mutex_);
      return node_->open_count > 1 ? Error(EAGAIN, "fcntl F_SETLEASE", path_) : OkStatus();
    }

    Status Overwrite() override {
      MutexLock lock(fs_.mutex_);
      node_->data.assign(node_->data.size(), '\0');
      fs_.Touch(*node_);
      return OkStatus();
    }

   private:
    InMemoryFileSystem& fs_;
    const NodePtr node_;
    const std::string path_;
  };

  class Lock final : public fs::FileLock {
   public:
    Lock(InMemoryFileSystem& fs, NodePtr node) : fs_(fs), node_(std::move(node)) {}

    ~Lock() override {
      MutexLock lock(fs_.mutex_);
      node_->locked = false;
    }

   private:
    InMemoryFileSystem& fs_;
    const NodePtr node_;
  };

  static Status Error(int error_number, std::string_view call, const std::string& path) {
    return ErrnoToStatus(error_number, StrCat(call, " ", path));
  }

  template <typename T>
  void Set(T& member, T value) {
    MutexLock lock(mutex_);
    member = value;
  }

  std::unique_ptr<fs::File> MakeFile(NodePtr node, const std::string& path)
      KEYTURN_REQUIRES(mutex_) {
    ++node->open_count;
    return std::make_unique<MemoryFile>(*this, std::move(node), path);
  }

  void Touch(Node& node) { node.change_time = ++ticks_; }

  size_t UsedBytes(const Node& node) const {
    size_t used = node.type == fs::FileType::kRegular ? node.data.size() : 0;
    for (const auto& [name, child] : node.children) used += UsedBytes(*child);
    return used;
  }

  Status ChmodNode(Node& node, mode_t mode, const std::string& path) {
    if (read_only_) return Error(EROFS, "chmod", path);
    node.mode = mode & 07777;
    Touch(node);
    return OkStatus();
  }

  Status ChownNode(Node& node, uid_t uid, gid_t gid, const std::string& path) {
    if (read_only_) return Error(EROFS, "chown", path);
    if (uid != static_cast<uid_t>(-1)) node.uid = uid;
    if (gid != static_cast<gid_t>(-1)) node.gid = gid;
    Touch(node);
    return OkStatus();
  }

  Result<fs::FileInfo> StatNode(const std::string& path, bool follow) {
    MutexLock lock(mutex_);
    KEYTURN_ASSIGN_OR_RETURN(const NodePtr node, Resolve(path, follow));
    fs::FileInfo info;
    info.type = node->type;
    info.mode = node->mode;
    info.uid = node->uid;
    info.gid = node->gid;
    info.size = node->data.size();
    info.device = 1;
    info.inode = node->inode;
    info.change_time_ns = node->change_time;
    return info;
  }

  Result<NodePtr> Resolve(const std::string& path, bool follow_last) {
    int links_left = 40;  // as the kernel's MAXSYMLINKS
    std::vector<NodePtr> stack = {root_};
    KEYTURN_RETURN_IF_ERROR(Walk(path, follow_last, stack, links_left));
    return stack.back();
  }

  // Moves `stack`, the nodes from the root to here, along `path`.
  Status Walk(const std::string& path, bool follow_last, std::vector<NodePtr>& stack,
              int& links_left) {
    if (path.empty()) return Error(ENOENT, "resolve", path);
    if (path.size() >= PATH_MAX) return Error(ENAMETOOLONG, "resolve", path.substr(0, 64));
    if (path.front() == '/') stack.resize(1);
    const std::vector<std::string_view> parts = Split(path, '/');
    for (size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].empty() || parts[i] == ".") continue;
      const bool follow = follow_last || i + 1 < parts.size();
      KEYTURN_RETURN_IF_ERROR(Step(std::string(parts[i]), follow, stack, links_left));
    }
    return OkStatus();
  }

  Status Step(const std::string& name, bool follow, std::vector<NodePtr>& stack, int& links_left) {
    const NodePtr here = stack.back();
    if (here->type != fs::FileType::kDirectory) return Error(ENOTDIR, "resolve", name);
    if (name.size() > NAME_MAX) return Error(ENAMETOOLONG, "resolve", name.substr(0, 64));
    if (name == "..") {
      if (stack.size() > 1) stack.pop_back();
      return OkStatus();
    }
    const auto child = here->children.find(name);
    if (child == here->children.end()) return Error(ENOENT, "resolve", name);
    if (child->second->type == fs::FileType::kSymlink && follow) {
      if (--links_left < 0) return Error(ELOOP, "resolve", name);
      return Walk(child->second->data, true, stack, links_left);
    }
    stack.push_back(child->second);
    return OkStatus();
  }

  // The directory that holds, or would hold, the last component.
  Result<Place> ResolvePlace(const std::string& path) {
    const size_t slash = path.rfind('/');
    if (path.size() >= PATH_MAX || slash == std::string::npos) {
      return Error(path.size() >= PATH_MAX ? ENAMETOOLONG : EINVAL, "resolve", path.substr(0, 64));
    }
    Place place{root_, path.substr(slash + 1)};
    if (place.name.size() > NAME_MAX) return Error(ENAMETOOLONG, "resolve", path.substr(0, 64));
    if (slash > 0) {
      KEYTURN_ASSIGN_OR_RETURN(place.parent, Resolve(path.substr(0, slash), true));
    }
    if (place.parent->type != fs::FileType::kDirectory) return Error(ENOTDIR, "resolve", path);
    return place;
  }

  Result<NodePtr> Add(const std::string& path, fs::FileType type, mode_t mode,
                      std::string_view call) {
    KEYTURN_ASSIGN_OR_RETURN(const Place place, ResolvePlace(path));
    if (place.parent->children.count(place.name) > 0) return Error(EEXIST, call, path);
    if (read_only_) return Error(EROFS, call, path);
    auto node = std::make_shared<Node>();
    node->type = type;
    node->mode = mode;
    node->uid = ::geteuid();
    node->gid = ::getegid();
    node->inode = ++inodes_;
    if ((place.parent->mode & S_ISGID) != 0) {
      node->gid = place.parent->gid;
      if (type == fs::FileType::kDirectory) node->mode |= S_ISGID;
    }
    Touch(*node);
    Touch(*place.parent);
    place.parent->children.emplace(place.name, node);
    return node;
  }

  Status Remove(const std::string& path, Node& node, std::string_view call) {
    if (read_only_) return Error(EROFS, call, path);
    KEYTURN_ASSIGN_OR_RETURN(const Place place, ResolvePlace(path));
    place.parent->children.erase(place.name);
    Touch(*place.parent);
    Touch(node);
    return OkStatus();
  }

  static NodePtr MakeRoot() {
    auto root = std::make_shared<Node>();
    root->type = fs::FileType::kDirectory;
    root->mode = 0755;
    root->uid = ::geteuid();
    root->gid = ::getegid();
    return root;
  }

  // Guards every node too.
  Mutex mutex_;
  const NodePtr root_ = MakeRoot();
  bool memory_backed_ = true;
  bool read_only_ = false;
  mode_t umask_ = 022;
  size_t capacity_ = SIZE_MAX / 2;
  uint64_t inodes_ = 1;
  int64_t ticks_ = 0;
};

}  // namespace keyturn::testing
