"""How are the ids of the records said to people, in English and Chinese?"""

from collections.abc import Mapping
from typing import Literal

Wording = Literal["en", "zh-CN"]
WORDINGS: tuple[Wording, ...] = ("en", "zh-CN")

_CHINESE: Mapping[str, str] = {
    "urgent": "紧急",
    "important": "重要",
    "normal": "普通",
    "question": "咨询",
    "problem": "问题",
    "complaint": "投诉",
    "after_sales": "售后",
    "suggestion": "建议",
    "product_fault": "产品使用故障",
    "order": "订单",
    "logistics": "物流",
    "account": "账户",
    "billing": "账单发票",
    "policy": "政策",
    "service_attitude": "服务态度",
    "emergency": "安全紧急",
    "other": "其他",
    "phone": "电话",
    "chat": "在线聊天",
    "email": "邮件",
    "social": "社交媒体",
    "sms": "短信",
    "solved": "已解决",
    "not_solved": "未解决",
    "reached": "已联系到客户",
    "not_reached": "未能联系到客户",
    "is_it_solved": "问题是否已解决?",
    "please_rate": "请评价响应速度、解决效果、服务态度、总体满意度(1-5)",
    "speed": "响应速度",
    "effectiveness": "解决效果",
    "attitude": "服务态度",
    "overall": "总体满意度",
    "reopen": "重新打开并上报主管",
    "recovery": "主管回访补救",
    "close": "关闭",
    "none": "无",
    "another_way": "改用其他方式联系",
    "when": "时间",
    "where": "场景",
    "error_code": "错误代码",
    "of_kind": "回访",
}
_ENGLISH: Mapping[str, str] = {
    "is_it_solved": "Is the problem solved?",
    "please_rate": "Please rate speed, effectiveness, attitude and overall, 1 to 5",
    "reached": "reached",
    "not_reached": "not reached",
    "not_solved": "not solved",
    "reopen": "reopen, raised to the supervisor",
    "recovery": "recovery by the supervisor",
    "another_way": "reach the customer in another way",
    "email": "e-mail",
    "sms": "SMS",
    "after_sales": "after-sales",
}


def said(name: str | None, wording: Wording) -> str:
    """Return an id in words; an id of the operator's own policy is said as it is, with spaces in English."""
    if not name:
        return ""
    if wording == "zh-CN":
        return _CHINESE.get(name, name)
    return _ENGLISH.get(name, name.replace("_", " "))
