//! The runbooks that ship, built in.

macro_rules! ship {
    ($($file:literal),* $(,)?) => { &[$(($file, include_str!(concat!("../", $file)))),*] };
}

/// Every runbook that ships, as (file name, text), such as `kubectl/drain_node.yaml`. The folder is the server's name.
pub fn shipped() -> &'static [(&'static str, &'static str)] {
    ship![
        "kubectl/drain_node.yaml",
        "kubectl/pod_logs.yaml",
        "kubectl/restart_workload.yaml",
        "kubectl/scale_workload.yaml",
        "kubectl/workload_status.yaml",
        "kubectl/node_status.yaml",
        "kubectl/rollout_history.yaml",
        "kubectl/recent_events.yaml",
        "kubectl/clean_finished_jobs.yaml",
        "kubectl/cordon_node.yaml",
        "kubectl/evict_pod.yaml",
        "kubectl/grow_volume.yaml",
        "kubectl/release_dead_node.yaml",
        "kubectl/rollback_rollout.yaml",
        "kubectl/suspend_cronjob.yaml",
        "kubectl/uncordon_node.yaml",
        "kubectl/rotate_secret.yaml",
        "kubectl/find_consumers.yaml",
        "terraform/apply_workspace.yaml",
        "terraform/replace_instance.yaml",
        "terraform/resize_pool.yaml",
        "terraform/revert_config.yaml",
        "terraform/accept_drift.yaml",
        "terraform/unlock_state.yaml",
        "terraform/detect_drift.yaml",
        "terraform/list_resources.yaml",
        "terraform/show_outputs.yaml",
        "ansible/restart_service.yaml",
        "ansible/patch_hosts.yaml",
        "ansible/clean_disk.yaml",
        "ansible/reboot_hosts.yaml",
        "ansible/rotate_host_certificate.yaml",
        "ansible/push_config.yaml",
        "ansible/pool_member.yaml",
        "ansible/host_facts.yaml",
        "ansible/service_status.yaml",
        "ansible/disk_usage.yaml",
    ]
}

/// The runbooks that ship and are loaded only where the configuration names them: they ask for permissions that most
/// installations do without, and are to be adapted to what runs there.
pub fn optional() -> &'static [(&'static str, &'static str)] {
    ship!["kubectl/optional/purge_queue.yaml", "kubectl/optional/rotate_rabbitmq_password.yaml"]
}
